// Locks and elections: which there are, and the line behind the open one, as it moves.
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { find } from "../../api/lines";
import { useMayChange } from "../../api/settings";
import { ofAddress, ofText, show } from "../../model/keys";
import { count, plural } from "../../model/text";
import { Button } from "../../parts/Button";
import { Card, Note, Page, Table } from "../../parts/Page";
import { type Route, go, link } from "../../parts/route";
import { Loading } from "../../parts/States";
import { Teach } from "../../parts/Teach";
import { useKey } from "../../parts/useKey";
import { Failure } from "../Failure";
import { takeCommands } from "./commands";
import { Line } from "./Line";
import styles from "./Locks.module.css";

const EVERY_MS = 5_000;

export default function Locks({ route }: { route: Route }) {
  const mayChange = useMayChange();
  const open = route.rest === "" ? undefined : ofAddress(route.rest);
  const { data, error, isPending, refetch } = useQuery({ queryKey: ["lines", "all"], queryFn: ({ signal }) => find(signal), refetchInterval: EVERY_MS });
  useKey("Escape", open === undefined ? undefined : () => go(link("locks")));
  const lines = data?.lines ?? [];
  return (
    <Page title="Locks and elections" about="Who holds what, who waits, and for how long. A lock and an election of one name are the same line." tools={<Find />}>
      {open !== undefined && <Line key={open} name={open} mayChange={mayChange} />}
      {error && !data && <Failure error={error} again={() => void refetch()} wish="look for locks among all keys. One of them opens by its name, if you may read its keys" />}
      {isPending && <Loading what="locks" />}
      {data?.isPart && <Note>There are more keys than were looked at: a line that is missing here is found by its name.</Note>}
      {data && lines.length === 0 && open === undefined && (
        <Teach
          title="Nobody holds a lock"
          about="A lock lets one in at a time, and an election says who leads. Whoever comes stands in line behind a name, with a lease: when it ends, the next one is first. Lines that there are appear here by themselves."
          commands={takeCommands("nightly")}
        />
      )}
      {lines.length > 0 && (
        <Card flush title={plural(lines.length, "line")}>
          <Table label="Locks and elections" columns={["Name", "In line", "_Open"]}>
            {lines.map((line) => (
              <tr key={line.name}>
                <td data-label="Name"><a className="mono" href={link("locks", line.name)} aria-current={line.name === open ? "true" : undefined}>{show(line.name)}</a></td>
                <td data-label="In line" className="figures">{line.count === 1 ? "held, nobody waits" : `held, ${count(line.count - 1)} waiting`}</td>
                <td><Button look="quiet" aria-label={`Open ${show(line.name)}`} onClick={() => go(link("locks", line.name))}>Open</Button></td>
              </tr>
            ))}
          </Table>
        </Card>
      )}
    </Page>
  );
}

function Find() {
  const [text, setText] = useState("");
  return (
    <form className={styles.find} role="search" onSubmit={(event) => { event.preventDefault(); if (text !== "") go(link("locks", ofText(text))); }}>
      <input data-search className={styles.input} aria-label="The name of a lock or an election" placeholder="name" autoComplete="off" spellCheck={false} value={text} onChange={(event) => setText(event.target.value)} />
      <Button type="submit">Open</Button>
    </form>
  );
}
