import { useState } from "react";

import { type Permission, type Role, type What, addPermission, addRole, removePermission, removeRole } from "../../api/access";
import { type Kind, hint, rangeOf, words } from "../../model/ranges";
import { plural } from "../../model/text";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { Deed } from "../../parts/Deed";
import { Choice, TextField } from "../../parts/Fields";
import { Card, Tag } from "../../parts/Page";
import { Teach } from "../../parts/Teach";
import { commands } from "./commands";
import styles from "./Users.module.css";

interface Props {
  roles: readonly Role[];
  mayChange: boolean;
  onChange: () => Promise<void>;
}

type Open = { what: "new" } | { what: "add" | "remove"; role: Role } | { what: "revoke"; role: Role; permission: Permission };

export function Roles({ roles, mayChange, onChange }: Props) {
  const [open, setOpen] = useState<Open>();
  const close = (): void => setOpen(undefined);
  return (
    <Card flush title={roles.length === 0 ? "Roles" : plural(roles.length, "role")} tools={mayChange && <Button icon="plus" onClick={() => setOpen({ what: "new" })}>New role</Button>}>
      {roles.length === 0 && (
        <Teach
          title="There are no roles"
          about="A role lets its users read or write one key, all keys with a prefix, or a range."
          commands={[["The same with etcdctl", commands.addPermission("reader", { permission: "read", prefix: "app/" })[1]?.text ?? ""]]}
        />
      )}
      {roles.map((role) => (
        <div key={role.name} className={styles.role}>
          <div className={styles.roleHead}>
            <h3>{role.name}</h3>
            <span className={styles.actions}>
              {mayChange && role.name !== "root" && <Button onClick={() => setOpen({ what: "add", role })}>Add a permission…</Button>}
              {mayChange && <Button look="danger" icon="trash" aria-label={`Delete the role ${role.name}`} onClick={() => setOpen({ what: "remove", role })} />}
              <CopyAs commands={commands.role(role.name)} />
            </span>
          </div>
          {role.name === "root" ? <p className={styles.soft}>may do everything, users and roles among it</p> : (
            <ul className={styles.permissions} aria-label={`What ${role.name} may do`}>
              {role.permissions.length === 0 && <li className={styles.soft}>nothing yet</li>}
              {role.permissions.map((permission) => (
                <li key={words(permission)}>
                  <span className={styles.what}><Tag look={permission.permission === "read" ? "good" : "warn"}>{permission.permission}</Tag></span>
                  <code>{words(permission)}</code>
                  {mayChange && <Button look="quiet" icon="close" aria-label={`Take ${words(permission)} from ${role.name}`} onClick={() => setOpen({ what: "revoke", role, permission })} />}
                </li>
              ))}
            </ul>
          )}
        </div>
      ))}
      {open?.what === "new" && <NewRole onChange={onChange} onClose={close} />}
      {open?.what === "add" && <Add role={open.role} onChange={onChange} onClose={close} />}
      {open?.what === "remove" && (
        <Deed
          danger
          title={`Delete the role ${open.role.name}?`}
          about="Its users lose what it lets them do."
          deed="Delete"
          typed={open.role.name}
          commands={commands.removeRole(open.role.name)}
          run={async () => { await removeRole(open.role.name); await onChange(); }}
          onClose={close}
        />
      )}
      {open?.what === "revoke" && (
        <Deed
          danger
          title={`Take a permission from ${open.role.name}?`}
          about={<>Its users may no longer {open.permission.permission} <code>{words(open.permission)}</code>.</>}
          deed="Take it"
          commands={commands.removePermission(open.role.name, open.permission)}
          run={async () => { await removePermission(open.role.name, open.permission); await onChange(); }}
          onClose={close}
        />
      )}
    </Card>
  );
}

function NewRole({ onChange, onClose }: { onChange: () => Promise<void>; onClose: () => void }) {
  const [name, setName] = useState("");
  return (
    <Deed title="New role" deed="Add" disabled={name === ""} commands={commands.addRole(name || "NAME")} run={async () => { await addRole(name); await onChange(); }} onClose={onClose}>
      <TextField label="Name" value={name} onChange={(event) => setName(event.target.value)} />
    </Deed>
  );
}

const WHATS = [["read", "read"], ["write", "write"], ["readwrite", "read and write"]] as const;
const KINDS = [["prefix", "all keys with a prefix"], ["key", "one key"], ["from", "a range"], ["all", "all keys"]] as const;

function Add({ role, onChange, onClose }: { role: Role; onChange: () => Promise<void>; onClose: () => void }) {
  const [what, setWhat] = useState<What>("read");
  const [kind, setKind] = useState<Kind>("prefix");
  const [text, setText] = useState("");
  const [to, setTo] = useState("");
  const range = rangeOf(kind, text, to);
  const permission = range && { permission: what, ...range };
  const run = async (): Promise<void> => {
    if (permission) await addPermission(role.name, permission);
    await onChange();
  };
  return (
    <Deed title={`What ${role.name} may do`} deed="Add" disabled={!permission} commands={permission ? commands.addPermission(role.name, permission) : []} run={run} onClose={onClose}>
      <div className={styles.pair}>
        <Choice label="What may be done" value={what} options={WHATS} onChoose={setWhat} />
        <Choice label="With which keys" value={kind} options={KINDS} onChoose={setKind} />
      </div>
      {kind === "all" ? <p className={styles.soft}>{hint(kind, text)}</p> : (
        <TextField label={kind === "prefix" ? "Prefix" : kind === "key" ? "Key" : "From"} mono value={text} hint={hint(kind, text)} onChange={(event) => setText(event.target.value)} />
      )}
      {kind === "from" && <TextField label="Up to, without it" mono value={to} onChange={(event) => setTo(event.target.value)} />}
    </Deed>
  );
}
