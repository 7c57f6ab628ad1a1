// All operations by their groups, and those that are looked for.
import { useDeferredValue, useEffect, useRef, useState } from "react";

import { link } from "../../parts/route";
import styles from "./Explorer.module.css";
import { type Operation, type Spec, matches } from "../../model/spec";

export function OperationList({ spec, at }: { spec: Spec; at: string }) {
  const [words, setWords] = useState("");
  const [isOpen, setOpen] = useState(false);
  const wanted = useDeferredValue(words);
  const groups = new Map<string, Operation[]>();
  for (const operation of spec.operations.filter((each) => matches(each, wanted))) {
    const tag = operation.tags?.[0] ?? "";
    groups.set(tag, [...(groups.get(tag) ?? []), operation]);
  }
  // Whoever comes by a link sees where he is; on a telephone the list is folded, and the page stays.
  const groupsSeen = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const [box, mark] = [groupsSeen.current, groupsSeen.current?.querySelector<HTMLElement>("[aria-current=page]")];
    if (!box || !mark) return;
    const [around, own] = [box.getBoundingClientRect(), mark.getBoundingClientRect()];
    if (own.top < around.top || own.bottom > around.bottom) box.scrollTop += own.top - around.top - around.height / 2;
  }, [at]);
  const isShown = isOpen || at === "" || words !== "";
  return (
    <nav className={styles.list} aria-label="Operations">
      <div className={styles.find}>
        <input
          type="search"
          data-search
          className={styles.search}
          placeholder="Find an operation: put a key"
          aria-label="Find an operation"
          value={words}
          onChange={(event) => setWords(event.target.value)}
        />
        <button type="button" className={styles.fold} aria-expanded={isShown} onClick={() => setOpen(!isOpen)}>
          {isShown ? "Hide" : "All operations"}
        </button>
      </div>
      <div ref={groupsSeen} className={`${styles.groups} ${isShown ? "" : styles.folded}`}>
        {[...groups].map(([tag, operations]) => (
          <section key={tag} aria-label={tag}>
            <h2 className={styles.tag} title={spec.about(tag)}>{tag}</h2>
            <ul className={styles.operations}>
              {operations.map((operation) => (
                <li key={operation.operationId}>
                  <a
                    href={link("explorer", operation.operationId)}
                    aria-current={operation.operationId === at ? "page" : undefined}
                    title={`${operation.method} ${operation.path}`}
                    onClick={() => { setOpen(false); setWords(""); }}
                  >
                    <span className={styles.method} data-method={operation.method}>{operation.method}</span>
                    <span>
                      {operation.summary}
                      {operation.deprecated === true && <span className={styles.hint}> (older path)</span>}
                    </span>
                  </a>
                </li>
              ))}
            </ul>
          </section>
        ))}
        {groups.size === 0 && <p className={styles.hint}>Nothing has all of these words.</p>}
      </div>
    </nav>
  );
}
