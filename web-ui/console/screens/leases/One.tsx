// The open lease, with the keys that hang on it.
import { show } from "../../model/keys";
import { duration, hexId, plural } from "../../model/text";
import { Button } from "../../parts/Button";
import { Card } from "../../parts/Page";
import { go, link } from "../../parts/route";
import { Loading } from "../../parts/States";
import { Failure } from "../Failure";
import { Deeds } from "./Deeds";
import { Left } from "./Left";
import styles from "./Leases.module.css";
import { useLease } from "./useLease";

export function One({ id, mayChange, onChange }: { id: string; mayChange: boolean; onChange: () => Promise<void> }) {
  const { data, dataUpdatedAt, error, refetch } = useLease(id);
  const tools = (
    <>
      {data && <Deeds lease={data} mayChange={mayChange} onChange={onChange} />}
      <Button look="quiet" icon="close" aria-label="Close the lease" onClick={() => go(link("leases"))} />
    </>
  );
  return (
    <Card title={<span className="mono">{hexId(id)}</span>} tools={tools}>
      {!data && (error ? <Failure error={error} again={() => void refetch()} wish="see this lease: keys hang on it that you may not read" /> : <Loading what="the lease" />)}
      {data && (
        <>
          <p>Ends in <Left lease={data} since={dataUpdatedAt} />, granted for {duration(data.granted)}. {data.keys.length === 0 ? "No key hangs on it." : `${plural(data.keys.length, "key goes", "keys go")} with it:`}</p>
          {data.keys.length > 0 && (
            <ul className={styles.keys} aria-label="Keys of the lease">{data.keys.map((key) => <li key={key}><a href={link("keys", key)}>{show(key)}</a></li>)}</ul>
          )}
        </>
      )}
    </Card>
  );
}
