import { useQuery } from "@tanstack/react-query";

import { type Value, lease } from "../../api/keys";
import { bytes, count, hexId } from "../../model/text";
import { Countdown } from "../../parts/Countdown";
import styles from "./Meta.module.css";

/** What is known of a key beside its value. */
export function Meta({ value }: { value: Value }) {
  const facts = [
    ["Size", bytes(value.size)],
    ["Changed at", count(value.modRevision)],
    ["Created at", count(value.createRevision)],
    ["Version", count(value.version)],
  ] as const;
  return (
    <dl className={styles.meta}>
      {facts.map(([name, fact]) => <div key={name}><dt>{name}</dt><dd>{fact}</dd></div>)}
      {value.lease !== undefined && <LeaseFact id={value.lease} />}
    </dl>
  );
}

/** How often what is left of a lease is set right: it may have been renewed. */
const EVERY_MS = 5_000;

function LeaseFact({ id }: { id: string }) {
  const { data, dataUpdatedAt, error } = useQuery({
    queryKey: ["leases", id],
    queryFn: ({ signal }) => lease(id, signal),
    refetchInterval: EVERY_MS,
  });
  return (
    <>
      <div><dt>Lease</dt><dd className="mono" title={`${id} in decimal`}>{hexId(id)}</dd></div>
      <div>
        <dt>Ends in</dt>
        <dd>{data ? <Countdown seconds={data.ttl} since={dataUpdatedAt} /> : error ? "not known" : "…"}</dd>
      </div>
    </>
  );
}
