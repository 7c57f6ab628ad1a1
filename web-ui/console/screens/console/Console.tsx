// Calls of one's own: written line by line, run one by one or all, with the answers beside them.
import { useQuery } from "@tanstack/react-query";
import { Suspense, lazy, useEffect, useRef, useState } from "react";

import { load } from "../../api/spec";
import { useMayChange } from "../../api/settings";
import { useStore } from "../../api/store";
import { blockAt, blocksOf } from "../../model/query/blocks";
import { isSecret } from "../../model/query/history";
import { Button } from "../../parts/Button";
import { Code } from "../../parts/Code";
import { copy } from "../../parts/CopyAs";
import { Menu } from "../../parts/Menu";
import { type Route, link } from "../../parts/route";
import { Empty } from "../../parts/States";
import { toast } from "../../parts/Toasts";
import { Answer } from "./Answer";
import styles from "./Console.module.css";
import { draft, forget, history } from "./kept";
import { suggest } from "./suggest";
import { useRuns } from "./useRuns";

/** Loaded when it is opened. */
const Snippets = lazy(() => import("./Snippets"));

/** What an address may carry: browsers and what stands between have no more than this in common. */
const MOST_LETTERS = 6_000;

export default function Console({ route }: { route: Route }) {
  const given = route.query.get("text");
  return <Written key={given} given={given} />;
}

function Written({ given }: { given: string | null }) {
  const [text, setText] = useState(given ?? draft.get());
  const { data: spec } = useQuery({ queryKey: ["openapi"], queryFn: load, staleTime: Infinity });
  const { runs, isBusy, run, stop, clear } = useRuns(spec);
  const line = useRef(1);
  /** What is written as of now: the page may be behind whoever types and runs at once. */
  const written = useRef(text);
  const known = useStore(history);
  const mayChange = useMayChange();
  const [note, setNote] = useState("");
  const [hasSnippets, setSnippets] = useState(false);

  const changed = (to: string): void => { written.current = to; setText(to); draft.set(to); setNote(""); };
  const all = (): void => {
    const blocks = blocksOf(written.current);
    setNote(blocks.length === 0 ? "There is no call to run" : "");
    void run(blocks);
  };
  const here = (): void => {
    const block = blockAt(blocksOf(written.current), line.current);
    setNote(block ? "" : "The cursor is on no call");
    if (block) void run([block]);
  };
  const share = (): void => {
    const own = text.trim();
    const isLong = own.length > MOST_LETTERS;
    if (isLong || isSecret(own)) {
      toast({ look: "failed", text: isLong ? "It is too long for an address" : "A password or a token may be in it, and an address is no place for them" });
    } else void copy(new URL(link("console", "", { text: own }), document.baseURI).href, "link");
  };
  const added = (more: string): void => changed(`${text.trimEnd()}${text.trim() === "" ? "" : "\n\n"}${more}\n`);
  const again = known.slice(0, 20).map((each) => ({ label: short(each), run: () => added(each) }));
  // The editor is opened once, and calls what is there by then.
  const latest = useRef({ here, all, spec });
  useEffect(() => { latest.current = { here, all, spec }; });
  const extras = async () => {
    const { calls } = await import("../../parts/calls");
    return calls({
      onRun: () => latest.current.here(),
      onRunAll: () => latest.current.all(),
      onCursor: (at) => { line.current = at; },
      suggest: (lines, signal) => suggest(lines, latest.current.spec, signal),
    });
  };

  return (
    <div className={styles.console}>
      <h1 className="unseen">Console</h1>
      <section className={styles.write} aria-label="Calls">
        <div className={styles.bar}>
          <Button look="main" onClick={here}>Run</Button>
          <Button onClick={all}>Run all</Button>
          <Button disabled={!isBusy} onClick={stop}>Stop</Button>
          <span className={styles.space} />
          <Menu trigger={<Button icon="history" disabled={known.length === 0}>Earlier</Button>} items={[...again, { label: "Forget all of them", icon: "trash", danger: true, run: forget }]} />
          <Button icon="star" onClick={() => setSnippets(true)}>Snippets</Button>
          <Button icon="copy" onClick={share}>Link</Button>
        </div>
        <div className={styles.editor}><Code text={text} mode="text" label="Calls, a line each" extras={extras} onChange={changed} /></div>
        <p className={styles.note} role="status">{note || "Ctrl Enter runs the call at the cursor, Ctrl Shift Enter all; Ctrl Space completes. What stands below PUT and POST is their body, down to an empty line."}</p>
      </section>
      {hasSnippets && <Suspense><Snippets text={text} onOpen={changed} onAdd={added} onClose={() => setSnippets(false)} /></Suspense>}
      <section className={styles.answers} aria-label="Answers">
        {runs.length === 0 && (
          <Empty title="Nothing has been run yet">
            <p>Commands as <code>etcdctl</code> has them, <code>get app/ --prefix</code>, and requests, <code>GET /v3/keys/app/x</code>.{!mayChange && " What may change something is not sent: this console is read-only."}</p>
          </Empty>
        )}
        {runs.length > 0 && <div className={styles.bar}><span className={styles.space} /><Button look="quiet" onClick={clear}>Clear the answers</Button></div>}
        {runs.map((each) => <Answer key={each.number} run={each} spec={spec} />)}
      </section>
    </div>
  );
}

const MOST_SHOWN = 60;

function short(text: string): string {
  const [first = ""] = text.split("\n");
  return first.length > MOST_SHOWN || first !== text ? `${first.slice(0, MOST_SHOWN)} …` : first;
}
