// What can this user do: with all his roles together, and with keys that somebody asks about.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { allowed } from "../../api/access";
import { type Range, rangeOf, words } from "../../model/ranges";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { Choice } from "../../parts/Fields";
import { Card, Tag } from "../../parts/Page";
import { go, link } from "../../parts/route";
import { Failed, Loading } from "../../parts/States";
import { commands } from "./commands";
import styles from "./Users.module.css";

const KINDS = [["key", "the key"], ["prefix", "all keys with"]] as const;

export function Tester({ names, query }: { names: readonly string[]; query: URLSearchParams }) {
  const asked = query.get("user") ?? "";
  const user = names.includes(asked) ? asked : (names[0] ?? "");
  const [kind, setKind] = useState<"key" | "prefix">(query.has("prefix") ? "prefix" : "key");
  const [text, setText] = useState(query.get("prefix") ?? query.get("key") ?? "");
  const range = rangeOf(query.has("prefix") ? "prefix" : "key", query.get("prefix") ?? query.get("key") ?? "", "");
  const { data, error, refetch } = useQuery({ queryKey: ["access", "allowed", user, range], queryFn: ({ signal }) => allowed(user, range, signal) });
  const ask = (who: string): void => go(link("users", "", { user: who, [kind]: text }));
  const isRoot = data?.roles.includes("root") === true;
  return (
    <Card title="What can this user do?" tools={<CopyAs commands={commands.allowed(user, range)} />}>
      <form className={styles.test} onSubmit={(event) => { event.preventDefault(); ask(user); }}>
        <Choice label="The user" value={user} options={names.map((name) => [name, name] as const)} onChoose={ask} />
        <Choice label="Asked about" value={kind} options={KINDS} onChoose={setKind} />
        <input className={styles.input} aria-label="Key or prefix" placeholder="app/db (empty: in general)" autoComplete="off" spellCheck={false} value={text} onChange={(event) => setText(event.target.value)} />
        <Button type="submit" look="main">Test</Button>
      </form>
      {!data && (error ? <Failed error={error} again={() => void refetch()} /> : <Loading what="what he may do" />)}
      {data && range && (
        <p className={styles.verdict} role="status">
          <Tag look={data.may_read === true ? "good" : "bad"}>{data.may_read === true ? "may read" : "may not read"}</Tag>
          <Tag look={data.may_write === true ? "good" : "bad"}>{data.may_write === true ? "may write" : "may not write"}</Tag>
          <code>{words(range)}</code>
        </p>
      )}
      {data && (
        <dl className={styles.facts}>
          <dt>Roles</dt><dd>{data.roles.length === 0 ? "none" : data.roles.join(", ")}</dd>
          <dt>Reads</dt><dd><Ranges all={data.read} isRoot={isRoot} /></dd>
          <dt>Writes</dt><dd><Ranges all={data.write} isRoot={isRoot} /></dd>
        </dl>
      )}
    </Card>
  );
}

function Ranges({ all, isRoot }: { all: readonly Range[]; isRoot: boolean }) {
  if (isRoot) return "everything";
  if (all.length === 0) return "nothing";
  return <span className={styles.tags}>{all.map((range) => <code key={words(range)}>{words(range)}</code>)}</span>;
}
