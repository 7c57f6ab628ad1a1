// Leases: what is left of each, what hangs on it, and what ends it.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import { address, endpoint } from "../../api/base";
import { ids as list } from "../../api/leases";
import { useMayChange } from "../../api/settings";
import { curl, etcdctl } from "../../model/copy";
import { count, hexId, plural } from "../../model/text";
import { Button } from "../../parts/Button";
import { Card, Page, Table } from "../../parts/Page";
import { type Route, go, link } from "../../parts/route";
import { Loading } from "../../parts/States";
import { Teach } from "../../parts/Teach";
import { useKey } from "../../parts/useKey";
import { Failure } from "../Failure";
import { Grant } from "./Grant";
import styles from "./Leases.module.css";
import { One } from "./One";
import { Row } from "./Row";

const EVERY_MS = 5_000;
/** Rows, each of which asks for what is left of it. */
const PAGE = 50;

export default function Leases({ route }: { route: Route }) {
  const queries = useQueryClient();
  const mayChange = useMayChange();
  const [isNew, setNew] = useState(false);
  const [text, setText] = useState("");
  const [most, setMost] = useState(PAGE);
  const { data, error, isPending, refetch } = useQuery({ queryKey: ["leases", "all"], queryFn: ({ signal }) => list(signal), refetchInterval: EVERY_MS });
  useKey("n", mayChange ? () => setNew(true) : undefined);
  useKey("Escape", route.rest ? () => go(link("leases")) : undefined);
  const anew = () => queries.invalidateQueries({ queryKey: ["leases"] });
  const open = /^[0-9a-f]{1,16}$/.test(route.rest) ? BigInt(`0x${route.rest}`).toString() : undefined;
  const found = (data ?? []).filter((id) => hexId(id).includes(text.trim().toLowerCase()) || id === text.trim());
  const grant = mayChange && <Button look="main" icon="plus" onClick={() => setNew(true)}>Grant a lease</Button>;

  return (
    <Page title="Leases" about="Keys that are bound to a lease go when it ends, unless somebody keeps it alive." tools={grant}>
      {error && !data && <Failure error={error} again={() => void refetch()} wish="see all leases: keys hang on them that you may not read" />}
      {isPending && <Loading what="leases" />}
      {open !== undefined && <One key={open} id={open} mayChange={mayChange} onChange={anew} />}
      {data?.length === 0 && (
        <Teach
          title="There are no leases"
          about="A lease is a time to live that keys share: a sign of life of a service, a lock, a session. It ends by itself when nobody renews it, and its keys go with it."
          commands={[
            ["A key that goes in a minute", curl({ url: address("v3/keys/here/m1", { ttl: 60 }).href, method: "PUT", body: "up" })],
            ["A lease alone", etcdctl(endpoint, "lease grant 60")],
          ]}
        />
      )}
      {data !== undefined && data.length > 0 && (
        <Card
          flush
          title={plural(data.length, "lease")}
          tools={<input data-search type="search" className={styles.search} aria-label="Find a lease by its id" placeholder="id" value={text} onChange={(event) => setText(event.target.value)} />}
        >
          <Table label="Leases" columns={["Lease", "Ends in", "Granted", "Keys", "_What may be done"]}>
            {found.slice(0, most).map((id) => <Row key={id} id={id} mayChange={mayChange} onChange={anew} />)}
          </Table>
          {(found.length > most || found.length === 0) && (
            <div className={styles.foot}>
              {found.length === 0 ? "None has such an id." : <>{count(most)} of {count(found.length)}<Button onClick={() => setMost(most + PAGE)}>More</Button></>}
            </div>
          )}
        </Card>
      )}
      {isNew && <Grant onDone={(id) => { void anew(); go(link("leases", hexId(id))); }} onClose={() => setNew(false)} />}
    </Page>
  );
}
