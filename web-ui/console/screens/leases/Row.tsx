import { count, duration, hexId } from "../../model/text";
import { link } from "../../parts/route";
import { Deeds } from "./Deeds";
import { Left } from "./Left";
import { useLease } from "./useLease";

export function Row({ id, mayChange, onChange }: { id: string; mayChange: boolean; onChange: () => Promise<void> }) {
  const { data, dataUpdatedAt, error } = useLease(id);
  const none = error && !data ? error.message : "…";
  return (
    <tr>
      <td data-label="Lease"><a className="mono" href={link("leases", hexId(id))} title={`${id} in decimal`}>{hexId(id)}</a></td>
      <td data-label="Ends in">{data ? <Left lease={data} since={dataUpdatedAt} /> : none}</td>
      <td data-label="Granted" className="figures">{data && duration(data.granted)}</td>
      <td data-label="Keys" className="figures">{data && count(data.keys.length)}</td>
      <td>{data && <Deeds lease={data} mayChange={mayChange} onChange={onChange} />}</td>
    </tr>
  );
}
