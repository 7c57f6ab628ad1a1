// What stands where a screen could not get what it shows. If roles are the reason, it says what they lack, and what they permit.
import { Problem } from "../api/problem";
import { session } from "../api/session";
import { useStore } from "../api/store";
import { levelOf, words } from "../model/ranges";
import { Button } from "../parts/Button";
import { link } from "../parts/route";
import { Empty, Failed } from "../parts/States";
import styles from "./Failure.module.css";
import { useOwn } from "./may";

interface Props {
  error: unknown;
  again: () => void;
  /** What was wished for: `read all keys`. */
  wish: string;
}

export function Failure({ error, again, wish }: Props) {
  if (error instanceof Problem && error.status === 403) return <Refused again={again} wish={wish} />;
  return <Failed error={error} again={again} />;
}

function Refused({ again, wish }: Omit<Props, "error">) {
  const user = useStore(session)?.user;
  const own = useOwn();
  return (
    <div role="alert">
      <Empty title="Your roles do not permit it">
        <p>{user === undefined ? "Nobody" : <strong>{user}</strong>} may not {wish}.</p>
        {own?.read.length === 0 && <p>{own.roles.length === 0 ? "You have no role." : `Your roles, ${own.roles.join(", ")}, let you read nothing.`} Somebody who is root can give you one, in Users and roles.</p>}
        {own !== undefined && own.read.length > 0 && (
          <p>
            What you may read:{" "}
            <span className={styles.ranges}>
              {own.read.map((range) => {
                const level = levelOf(range);
                return level === undefined ? <code key={words(range)}>{words(range)}</code> : <a key={words(range)} className="mono" href={link("keys", level)}>{words(range)}</a>;
              })}
            </span>
          </p>
        )}
        <Button onClick={again}>Try again</Button>
      </Empty>
    </div>
  );
}
