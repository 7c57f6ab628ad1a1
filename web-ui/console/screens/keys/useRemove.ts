import { useQueryClient } from "@tanstack/react-query";

import { type Value, get, put, remove } from "../../api/keys";
import { type Key, show } from "../../model/keys";
import { toast } from "../../parts/Toasts";

/** Removes a key, and can undo it: what it was is put again, if nobody else has meanwhile. */
export function useRemove(name: Key): (value: Value) => Promise<void> {
  const queries = useQueryClient();
  const failed = (error: unknown): void => toast({ text: error instanceof Error ? error.message : String(error), look: "failed" });
  const anew = () => queries.invalidateQueries({ queryKey: ["keys", "value", name] });
  return async (value) => {
    try {
      const { bytes, lease } = value.bytes.length < value.size ? await get(name, true) : value;
      await remove(name, value.modRevision);
      const undo = async (): Promise<void> => {
        await put(name, { bytes, lease, cas: "0" });
        toast({ text: `${show(name)} is back` });
        await anew();
      };
      toast({ text: `Deleted ${show(name)}`, action: { label: "Undo", run: () => void undo().catch(failed) } });
      await anew();
    } catch (error) {
      failed(error);
    }
  };
}
