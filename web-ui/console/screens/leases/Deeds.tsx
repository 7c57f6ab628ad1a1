// What is done with one lease.
import { useState } from "react";

import { type Lease, keepAlive, one, revoke } from "../../api/leases";
import { show } from "../../model/keys";
import { duration, hexId, plural } from "../../model/text";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { Deed } from "../../parts/Deed";
import { Note } from "../../parts/Page";
import { Failed, Loading } from "../../parts/States";
import { toast } from "../../parts/Toasts";
import { useQuery } from "@tanstack/react-query";
import { keepAliveCommands, readCommands, revokeCommands } from "./commands";
import styles from "./Leases.module.css";

interface Props {
  lease: Lease;
  mayChange: boolean;
  onChange: () => Promise<void>;
}

export function Deeds({ lease: { id }, mayChange, onChange }: Props) {
  const [isRevoked, setRevoked] = useState(false);
  const renew = async (): Promise<void> => {
    try {
      toast({ text: `Renewed: ${duration(await keepAlive(id))} from now` });
    } catch (error) {
      toast({ text: error instanceof Error ? error.message : String(error), look: "failed" });
    }
    await onChange();
  };
  return (
    <span className={styles.actions}>
      {mayChange && <Button onClick={() => void renew()}>Keep alive</Button>}
      {mayChange && <Button look="danger" onClick={() => setRevoked(true)}>Revoke…</Button>}
      <CopyAs commands={[...readCommands(id), ...keepAliveCommands(id).map(({ label, text }) => ({ label: `${label}, kept alive once`, text }))]} />
      {isRevoked && <Revoke id={id} onChange={onChange} onClose={() => setRevoked(false)} />}
    </span>
  );
}

function Revoke({ id, onChange, onClose }: { id: string; onChange: () => Promise<void>; onClose: () => void }) {
  // As it is now: what dies has to be seen.
  const { data, error, refetch } = useQuery({ queryKey: ["leases", "revoked", id], queryFn: ({ signal }) => one(id, signal), staleTime: 0, gcTime: 0 });
  const run = async (): Promise<void> => {
    await revoke(id);
    toast({ text: `Revoked ${hexId(id)}` });
    await onChange();
  };
  const keys = data?.keys ?? [];
  return (
    <Deed danger title={`Revoke the lease ${hexId(id)}?`} deed="Revoke" typed={keys.length > 0 ? hexId(id) : undefined} disabled={!data} commands={revokeCommands(id)} run={run} onClose={onClose}>
      {!data && (error ? <Failed error={error} again={() => void refetch()} /> : <Loading what="its keys" />)}
      {data && keys.length === 0 && <p>No key hangs on it.</p>}
      {keys.length > 0 && (
        <>
          <Note danger>{plural(keys.length, "key goes", "keys go")} with it, for good:</Note>
          {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls has to be reached */}
          <ul className={styles.keys} aria-label="Keys that go" tabIndex={0}>{keys.map((key) => <li key={key}>{show(key)}</li>)}</ul>
        </>
      )}
    </Deed>
  );
}
