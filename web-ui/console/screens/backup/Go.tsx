// The last look at an import, and the import.
import { useState } from "react";

import { address } from "../../api/base";
import { Broken, apply } from "../../api/import";
import { Problem } from "../../api/problem";
import { sharedBy } from "../../model/lifetimes";
import { MOST_GRANTED, importScript } from "../../model/script";
import { count, plural } from "../../model/text";
import { type Plan, batches } from "../../model/transfer";
import { Deed } from "../../parts/Deed";
import { Note } from "../../parts/Page";
import { toast } from "../../parts/Toasts";

export function Go({ plan, onDone, onClose }: { plan: Plan; onDone: () => void; onClose: () => void }) {
  const [done, setDone] = useState(0);
  const all = batches(plan.changes);
  const [first] = all;
  const leases = sharedBy(plan.changes).size;
  const url = { batch: address("v3/keys:batch").href, leases: address("v3/leases").href };
  const commands = all.length === 1 && first && leases <= MOST_GRANTED ? [{ label: "Copy as curl", text: importScript(first, url) }] : [];
  const deleted = plan.changes.filter(({ kind }) => kind === "delete").length;
  const run = async (): Promise<void> => {
    try {
      await apply(all, setDone);
    } catch (failure) {
      if (!(failure instanceof Broken)) throw failure;
      if (failure.done > 0) onDone();
      throw new Error(whatBroke(failure, all.length), { cause: failure });
    }
    toast({ text: `Imported: ${plural(plan.changes.length, "key has", "keys have")} changed` });
    onDone();
  };
  return (
    <Deed danger={deleted > 0} title={`Change ${plural(plan.changes.length, "key")}?`} about="Only if each of them is still what it was compared with." deed="Import" typed={deleted > 0 ? `delete ${deleted}` : undefined} commands={commands} run={run} onClose={onClose}>
      {deleted > 0 && <Note danger>{plural(deleted, "key is", "keys are")} deleted.</Note>}
      {leases > 0 && <Note>{plural(leases, "lease is", "leases are")} granted, from now on for as long as in the file. That is no part of a batch: it is done before, and what no key refers to is revoked if the batch is refused.</Note>}
      {all.length > 1 && <Note>They go in {count(all.length)} batches, each whole or not at all, and each a revision of its own. {done > 0 && `${count(done)} are done.`}</Note>}
    </Deed>
  );
}

function whatBroke({ done, leases, isOpen, cause, message }: Broken, all: number): string {
  const written = done === 0 ? "Nothing was written" : `${count(done)} of ${count(all)} batches were written, the rest was not`;
  const open = done === 0 ? "Whether anything was written is not known" : `${count(done)} of ${count(all)} batches were written; whether the next one was is not known`;
  const what = isOpen ? open : written;
  const revoked = leases.revoked > 0 ? ` ${plural(leases.revoked, "lease that was granted for it is", "leases that were granted for it are")} revoked.` : "";
  const left = leases.left > 0 ? ` ${plural(leases.left, "lease that was granted for it stays, and ends", "leases that were granted for it stay, and end")} when nobody renews ${leases.left === 1 ? "it" : "them"}.` : "";
  const why = cause instanceof Problem && cause.status === 412 ? "A key has changed since it was compared" : message;
  return `${why}. ${what}: compare again.${revoked}${left}`;
}
