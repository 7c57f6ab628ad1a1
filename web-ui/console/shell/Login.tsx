// A login over the page: what is below stays as it is, and what it asked for goes on.
import { type SyntheticEvent, useState } from "react";

import { begin } from "../api/session";
import { Button } from "../parts/Button";
import { Actions, Dialog } from "../parts/Dialog";
import { TextField } from "../parts/Fields";
import styles from "./Login.module.css";

export function Login({ user, onDone }: { user: string | undefined; onDone: (loggedIn: boolean) => void }) {
  const [name, setName] = useState(user ?? "");
  const [password, setPassword] = useState("");
  const [state, setState] = useState<{ busy: boolean; error?: string }>({ busy: false });

  const submit = async (event: SyntheticEvent): Promise<void> => {
    event.preventDefault();
    setState({ busy: true });
    try {
      await begin(name, password);
      onDone(true);
    } catch (error) {
      setState({ busy: false, error: error instanceof Error ? error.message : String(error) });
    }
  };

  return (
    <Dialog
      title="Log in"
      about={user === undefined ? "This server asks who you are." : "The session is over. Log in, and it goes on where it was."}
      onClose={() => onDone(false)}
    >
      <form id="login" onSubmit={(event) => void submit(event)} className={styles.form}>
        <TextField label="User" name="name" autoComplete="username" required value={name} onChange={(event) => setName(event.target.value)} />
        <TextField
          label="Password"
          name="password"
          type="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        {state.error !== undefined && <div role="alert" className={styles.error}>{state.error}</div>}
        <Actions>
          <Button type="submit" look="main" disabled={state.busy}>Log in</Button>
        </Actions>
      </form>
    </Dialog>
  );
}
