import { useState } from "react";

import { type Role, type User, addUser, removeUser, setPassword, setRole } from "../../api/access";
import { plural } from "../../model/text";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { Deed } from "../../parts/Deed";
import { TextField } from "../../parts/Fields";
import { Card, Table, Tag } from "../../parts/Page";
import { link } from "../../parts/route";
import { Teach } from "../../parts/Teach";
import { toast } from "../../parts/Toasts";
import { commands } from "./commands";
import { Passwords, isGood } from "./Passwords";
import styles from "./Users.module.css";

interface Props {
  users: readonly User[];
  roles: readonly Role[];
  mayChange: boolean;
  onChange: () => Promise<void>;
}

type Open = { what: "new" } | { what: "roles" | "password" | "remove"; user: User };

export function UserTable({ users, roles, mayChange, onChange }: Props) {
  const [open, setOpen] = useState<Open>();
  const close = (): void => setOpen(undefined);
  return (
    <Card flush title={users.length === 0 ? "Users" : plural(users.length, "user")} tools={mayChange && <Button icon="plus" onClick={() => setOpen({ what: "new" })}>New user</Button>}>
      {users.length === 0 ? (
        <Teach
          title="There are no users"
          about="A user has a name, a password and roles. Give each program its own, with a role for the keys that it needs; then turn authentication on."
          commands={[["The same with etcdctl", commands.addUser("app", false)[1]?.text ?? ""]]}
        />
      ) : (
        <Table label="Users" columns={["User", "Roles", "_What may be done"]}>
          {users.map((user) => (
            <tr key={user.name}>
              <td data-label="User"><strong>{user.name}</strong></td>
              <td data-label="Roles"><span className={styles.tags}>{user.roles.length === 0 ? "none: he may do nothing" : user.roles.map((role) => <Tag key={role} look={role === "root" ? "warn" : undefined}>{role}</Tag>)}</span></td>
              <td>
                <span className={styles.actions}>
                  <a href={link("users", "", { user: user.name })}><span className="unseen">{user.name}: </span>What he may do</a>
                  {mayChange && <Button onClick={() => setOpen({ what: "roles", user })}>Roles…</Button>}
                  {mayChange && <Button onClick={() => setOpen({ what: "password", user })}>Password…</Button>}
                  {mayChange && <Button look="danger" icon="trash" aria-label={`Delete ${user.name}`} onClick={() => setOpen({ what: "remove", user })} />}
                  <CopyAs commands={commands.user(user.name)} />
                </span>
              </td>
            </tr>
          ))}
        </Table>
      )}
      {open?.what === "new" && <NewUser roles={roles} onChange={onChange} onClose={close} />}
      {open?.what === "roles" && <RolesOf user={open.user} roles={roles} onChange={onChange} onClose={close} />}
      {open?.what === "password" && <PasswordOf user={open.user} onClose={close} />}
      {open?.what === "remove" && (
        <Deed
          danger
          title={`Delete the user ${open.user.name}?`}
          about="Whoever works as him is refused from then on."
          deed="Delete"
          typed={open.user.name}
          commands={commands.removeUser(open.user.name)}
          run={async () => { await removeUser(open.user.name); await onChange(); }}
          onClose={close}
        />
      )}
    </Card>
  );
}

function NewUser({ roles, onChange, onClose }: { roles: readonly Role[]; onChange: () => Promise<void>; onClose: () => void }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState({ one: "", two: "" });
  const [hasNone, setNone] = useState(false);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const run = async (): Promise<void> => {
    await addUser(name, hasNone ? undefined : password.one);
    for (const role of chosen) await setRole(name, role, true);
    toast({ text: `${name} is there` });
    await onChange();
  };
  return (
    <Deed title="New user" deed="Add" disabled={name === "" || !(hasNone || isGood(password))} commands={commands.addUser(name || "NAME", hasNone)} run={run} onClose={onClose}>
      <TextField label="Name" value={name} onChange={(event) => setName(event.target.value)} />
      {!hasNone && <Passwords value={password} onChange={setPassword} />}
      <label className={styles.check}>
        <input type="checkbox" checked={hasNone} onChange={(event) => setNone(event.target.checked)} />
        No password: he comes with a certificate of his name
      </label>
      <Checks roles={roles} chosen={chosen} onChange={setChosen} />
    </Deed>
  );
}

function RolesOf({ user, roles, onChange, onClose }: { user: User; roles: readonly Role[]; onChange: () => Promise<void>; onClose: () => void }) {
  const [chosen, setChosen] = useState<readonly string[]>(user.roles);
  const changed = roles.map(({ name }) => name).filter((name) => chosen.includes(name) !== user.roles.includes(name));
  const run = async (): Promise<void> => {
    for (const role of changed) await setRole(user.name, role, chosen.includes(role));
    await onChange();
  };
  const all = changed.flatMap((role) => commands.setRole(user.name, role, chosen.includes(role)).map(({ label, text }) => ({ label: `${label}: ${role}`, text })));
  return (
    <Deed title={`Roles of ${user.name}`} deed="Save" disabled={changed.length === 0} commands={all} run={run} onClose={onClose}>
      {roles.length === 0 ? <p className={styles.soft}>There are no roles yet.</p> : <Checks roles={roles} chosen={chosen} onChange={setChosen} />}
    </Deed>
  );
}

function Checks({ roles, chosen, onChange }: { roles: readonly Role[]; chosen: readonly string[]; onChange: (chosen: readonly string[]) => void }) {
  if (roles.length === 0) return null;
  return (
    <fieldset className={styles.checks}>
      <legend>Roles</legend>
      {roles.map(({ name }) => (
        <label key={name} className={styles.check}>
          <input type="checkbox" checked={chosen.includes(name)} onChange={(event) => onChange(event.target.checked ? [...chosen, name] : chosen.filter((each) => each !== name))} />
          {name}
        </label>
      ))}
    </fieldset>
  );
}

function PasswordOf({ user, onClose }: { user: User; onClose: () => void }) {
  const [password, setTo] = useState({ one: "", two: "" });
  const run = async (): Promise<void> => {
    await setPassword(user.name, password.one);
    toast({ text: `${user.name} has another password` });
  };
  return (
    <Deed title={`Password of ${user.name}`} about="All his sessions end." deed="Set" disabled={!isGood(password)} commands={commands.password(user.name)} run={run} onClose={onClose}>
      <Passwords value={password} onChange={setTo} />
    </Deed>
  );
}
