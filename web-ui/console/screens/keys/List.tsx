import { Suspense, lazy, useMemo, useState } from "react";

import type { Search } from "../../api/keys";
import { type Key, SLASH, show } from "../../model/keys";
import { type Marks, chosenOf, extended, toggled } from "../../model/marks";
import type { Row } from "../../model/rows";
import { bytes, count } from "../../model/text";
import { Button } from "../../parts/Button";
import { Icon } from "../../parts/Icon";
import { go } from "../../parts/route";
import { Empty, Loading } from "../../parts/States";
import { Mark, type Marking, VirtualList } from "../../parts/VirtualList";
import { Failure } from "../Failure";
import { First } from "./First";
import styles from "./List.module.css";
import { type Place, addressOf } from "./place";
import { useLevel } from "./useLevel";

/** Few choose more than one. */
const Chosen = lazy(() => import("./chosen/Chosen"));

interface Props {
  place: Place;
  search: Search | undefined;
  open: Key | undefined;
  onNew: (() => void) | undefined;
  mayChange: boolean;
}

export function List({ place: { prefix, by = SLASH }, search, open, onNew, mayChange }: Props) {
  const { rows, isPending, error, refetch, hasNextPage, isFetchingNextPage, fetchNextPage } = useLevel(prefix, by, search);
  const [chosen, setChosen] = useState<Key>();
  const [marks, setMarks] = useState<Marks>(new Set());
  const marked = useMemo(() => chosenOf(rows, marks), [rows, marks]);
  const at = rows.findIndex((row) => row.key === (chosen ?? open));

  if (error && rows.length === 0) return <Failure error={error} again={() => void refetch()} wish={prefix === "" ? "read all keys" : `read all keys below ${show(prefix)}`} />;
  if (isPending) return <Loading what="keys" />;
  if (rows.length === 0 && !hasNextPage) return <Nothing prefix={prefix} search={search} onNew={onNew} />;

  const opened = (index: number): void => {
    const row = rows[index];
    if (row) go(row.kind === "level" ? addressOf({ prefix: row.key, by }) : addressOf({ prefix, key: row.key, search, by }));
  };
  const isMarked = (index: number): boolean => marks.size > 0 && marks.has(rows[index]?.key ?? "");
  const marking: Marking = {
    some: marked.length > 0,
    isMarked,
    toggle: (index) => { const row = rows[index]; if (row) setMarks(toggled(marks, row.key)); },
    extend: (from, to) => setMarks(extended(marks, rows, from, to)),
    none: () => setMarks(new Set()),
  };
  const more = hasNextPage && !isFetchingNextPage && !error ? () => void fetchNextPage() : undefined;
  return (
    <>
      <VirtualList
        label={search ? "What was found" : "Keys and levels"}
        count={rows.length}
        rowHeight={30}
        active={at}
        onActive={(index) => setChosen(rows[index]?.key)}
        onOpen={opened}
        onEnd={more}
        idOf={(index) => `row-${index}`}
        row={(index) => { const row = rows[index]; return row && <OneRow row={row} prefix={search ? "" : prefix} isMarked={isMarked(index)} />; }}
        marks={marking}
      />
      {marked.length > 0 && <Suspense><Chosen rows={marked} prefix={prefix} mayChange={mayChange} onNone={marking.none} /></Suspense>}
      <div className={styles.foot} role="status">
        <span className="figures">{count(rows.length)}{hasNextPage ? " and more" : ""} {search ? "found" : "here"}</span>
        {isFetchingNextPage && <span>{search ? "searching on" : "loading more"}</span>}
        {error && <span className={styles.error}>{error.message} <Button onClick={() => void fetchNextPage()}>Try again</Button></span>}
        {search && hasNextPage && !isFetchingNextPage && <Button onClick={() => void fetchNextPage()}>Search on</Button>}
      </div>
    </>
  );
}

function OneRow({ row, prefix, isMarked }: { row: Row; prefix: Key; isMarked: boolean }) {
  const name = row.key.slice(prefix.length);
  // Of what was found, the end tells one from another.
  const end = name.lastIndexOf("/", name.length - 2) + 1;
  return (
    <div className={styles.row}>
      <Mark isMarked={isMarked} />
      <span className={styles.icon}><Icon name={row.kind === "level" ? "folder" : "file"} /></span>
      {end > 0 && <span className="unseen">{show(name)}</span>}
      {end > 0 ? (
        // Read out it is one word.
        <span className={styles.name} title={show(row.key)} aria-hidden="true">
          <span className={styles.path}>{show(name.slice(0, end))}</span>
          <span className={styles.end}>{show(name.slice(end))}</span>
        </span>
      ) : <span className={styles.name} title={show(row.key)}>{name === "" ? "(the prefix itself)" : show(name)}</span>}
      {row.kind === "key" && row.lease !== undefined && <span className={styles.icon} title="Bound to a lease"><Icon name="clock" size={14} /></span>}
      <span className={styles.size}>{row.kind === "key" ? bytes(row.size) : row.count === undefined ? "" : count(row.count)}</span>
    </div>
  );
}

function Nothing({ prefix, search, onNew }: Pick<Props, "search" | "onNew"> & { prefix: Key }) {
  if (search) {
    return <Empty title="Nothing was found"><p>No {search.in === "keys" ? "key" : "key or value"} {prefix && "below here "}has <code>{search.text}</code> in it.</p></Empty>;
  }
  if (prefix === "") return <First onNew={onNew} />;
  return <Empty title="No keys here">Nothing begins with <code>{show(prefix)}</code>.</Empty>;
}
