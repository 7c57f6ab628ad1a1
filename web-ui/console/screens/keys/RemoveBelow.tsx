// All keys of a level and of those below it, away with them.
import { useQuery } from "@tanstack/react-query";

import { address, endpoint } from "../../api/base";
import { list, removeBelow } from "../../api/keys";
import { curl, etcdctl, quotedKey } from "../../model/copy";
import { type Key, SLASH, base64, parent, show } from "../../model/keys";
import { count, plural } from "../../model/text";
import { Deed } from "../../parts/Deed";
import { Note } from "../../parts/Page";
import { go } from "../../parts/route";
import { Loading } from "../../parts/States";
import { toast } from "../../parts/Toasts";
import { Failure } from "../Failure";
import { addressOf } from "./place";

export default function RemoveBelow({ prefix, by = SLASH, onClose }: { prefix: Key; by: Key | undefined; onClose: () => void }) {
  // As it is now: what goes has to be seen.
  const { data, error, refetch } = useQuery({ queryKey: ["keys", "below", prefix], queryFn: ({ signal }) => list(prefix, undefined, undefined, signal), staleTime: 0, gcTime: 0 });
  const known = data?.rows.reduce((sum, row) => sum + (row.kind === "key" ? 1 : (row.count ?? 0)), 0) ?? 0;
  const commands = [
    { label: "Copy as curl", text: curl({ url: address("v3/keys", { prefix_b64: base64(prefix) }).href, method: "DELETE" }) },
    { label: "Copy as etcdctl", text: etcdctl(endpoint, `del --prefix -- ${quotedKey(prefix)}`) },
  ];
  const run = async (): Promise<void> => {
    toast({ text: `Deleted ${plural(Number(await removeBelow(prefix)), "key")} below ${show(prefix)}` });
    go(addressOf({ prefix: parent(prefix, by === "" ? SLASH : by), by }));
  };
  return (
    <Deed danger title={`Delete all keys below ${show(prefix)}?`} about="At once, whatever they are by then. What each of them was stays in its history until it is compacted." deed="Delete all" typed={show(prefix)} disabled={!data} commands={commands} run={run} onClose={onClose}>
      {!data && (error ? <Failure error={error} again={() => void refetch()} wish={`read all keys below ${show(prefix)}`} /> : <Loading what="what there is" />)}
      {data && <Note danger>{data.next === undefined ? `${plural(known, "key is", "keys are")} there now.` : `There are more than ${count(known)} keys.`}</Note>}
    </Deed>
  );
}
