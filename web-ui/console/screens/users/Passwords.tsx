// A new password, typed twice: what nobody sees is easily mistyped.
import { TextField } from "../../parts/Fields";
import styles from "./Users.module.css";

export interface Twice {
  one: string;
  two: string;
}

const MOST_BYTES = 72;

export function isGood({ one, two }: Twice): boolean {
  return one !== "" && one === two && new TextEncoder().encode(one).length <= MOST_BYTES;
}

export function Passwords({ value, onChange }: { value: Twice; onChange: (value: Twice) => void }) {
  const isLong = new TextEncoder().encode(value.one).length > MOST_BYTES;
  const hint = isLong ? `${MOST_BYTES} bytes at most` : value.two !== "" && value.one !== value.two ? "The two are not the same" : undefined;
  return (
    <div className={styles.pair}>
      <TextField label="New password" type="password" autoComplete="new-password" value={value.one} onChange={(event) => onChange({ ...value, one: event.target.value })} />
      <TextField label="Once more" type="password" autoComplete="new-password" value={value.two} hint={hint} onChange={(event) => onChange({ ...value, two: event.target.value })} />
    </div>
  );
}
