import type { MemberState, Overview } from "../../api/overview";
import { bytes, count, duration, hexId } from "../../model/text";
import styles from "./Members.module.css";

const HEALTH = { ok: "well", alarmed: "alarm", leaderless: "no leader", silent: "no answer" };

/** The members, one a row; on a narrow page one a card. */
export function Members({ overview }: { overview: Overview }) {
  return (
    <section aria-labelledby="members" className={styles.members}>
      <h2 id="members" className={styles.title}>Members</h2>
      <table className={styles.table}>
        <thead>
          <tr><th scope="col">Name</th><th scope="col">State</th><th scope="col">Role</th><th scope="col">Database</th><th scope="col">Behind</th><th scope="col">Version</th><th scope="col">Answers in</th></tr>
        </thead>
        <tbody>
          {overview.members.toSorted((one, other) => one.name.localeCompare(other.name)).map((member) => <One key={member.id} member={member} overview={overview} />)}
        </tbody>
      </table>
    </section>
  );
}

function One({ member, overview }: { member: MemberState; overview: Overview }) {
  const { id, name, health, learner, keyport, version, took_seconds: took, silent_seconds: silent } = member;
  const role = id === overview.leader ? "leader" : learner ? "learner" : "follower";
  const since = silent === undefined ? "" : `, for ${duration(silent)}`;
  const isHere = health !== "silent";
  return (
    <tr>
      <th scope="row"><span className={styles.name}>{name || "not started"}</span> <span className={styles.id}>{member.hex ?? hexId(id)}{id === overview.member && " · asked"}</span></th>
      <td data-label="State"><span className={`${styles.health} ${styles[health]}`} title={member.error}>{HEALTH[health]}{since}</span></td>
      <td data-label="Role" className={role === "leader" ? styles.leader : ""}>{isHere || role === "learner" ? role : "—"}</td>
      <td data-label="Database"><Database member={member} /></td>
      <td data-label="Behind" className="figures"><span>{isHere ? behind(member, overview) : "—"}{member.raft_applied_index !== undefined && <span className={styles.used}> at {count(member.raft_applied_index)}</span>}</span></td>
      <td data-label="Version" className="figures">{keyport ?? version ?? "—"}</td>
      <td data-label="Answers in" className="figures">{took === undefined ? "—" : `${(took * 1_000).toFixed(1)} ms`}</td>
    </tr>
  );
}

/** Entries that others have and this one has not. */
function behind({ raft_applied_index: own }: MemberState, { members }: Overview): string {
  if (own === undefined) return "—";
  const most = members.reduce((most, { raft_applied_index: at }) => (at !== undefined && BigInt(at) > most ? BigInt(at) : most), 0n);
  const missing = most - BigInt(own);
  return missing <= 0n ? "nothing" : `${count(missing)} entries`;
}

function Database({ member: { db_size: size, db_size_in_use: used, db_quota: quota } }: { member: MemberState }) {
  if (size === undefined) return <>—</>;
  const of = quota === undefined ? "" : ` of ${bytes(quota)}`;
  return (
    <span className={styles.database}>
      <span className="figures">{bytes(size)}{of}</span>
      {quota !== undefined && (
        <meter className={styles.meter} min={0} max={quota} high={quota * 0.8} value={size} aria-label={`Database: ${bytes(size)}${of}`} />
      )}
      {used !== undefined && <span className={styles.used}>{bytes(used)} in use</span>}
    </span>
  );
}
