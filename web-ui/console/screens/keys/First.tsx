// An empty store: what to do first.
import { base, endpoint } from "../../api/base";
import { curl, etcdctl } from "../../model/copy";
import { Button } from "../../parts/Button";
import { copy } from "../../parts/CopyAs";
import styles from "./First.module.css";

export function First({ onNew }: { onNew: (() => void) | undefined }) {
  const key = new URL("v3/keys/greeting", base).href;
  const commands = [
    ["Write a key", curl({ url: key, method: "PUT", body: "hello" })],
    ["Read it", curl({ url: key })],
    ["The same with etcdctl", etcdctl(endpoint, "put greeting hello")],
  ] as const;
  return (
    <div className={styles.first}>
      <h2>Nothing is stored yet</h2>
      <p>A key is a name with slashes, like a path; its value is any bytes. This list shows it as soon as it is there.</p>
      {onNew && <Button look="main" icon="plus" onClick={onNew}>New key</Button>}
      <p>Or from a shell:</p>
      {commands.map(([what, command]) => (
        <div key={what} className={styles.command}>
          <span>{what}</span>
          <code>{command}</code>
          <Button look="quiet" icon="copy" aria-label={`Copy: ${what}`} onClick={() => void copy(command, "the command")} />
        </div>
      ))}
    </div>
  );
}
