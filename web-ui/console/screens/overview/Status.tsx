import type { Overview } from "../../api/overview";
import { hexId, plural } from "../../model/text";
import styles from "./Status.module.css";

/** In one sentence: whether all is well, and if not, what is the matter and what that means. */
export function Status({ overview }: { overview: Overview }) {
  const [look, title, detail] = verdict(overview);
  return (
    <section className={`${styles.status} ${styles[look]}`} role="status" aria-label="How the cluster is">
      <span className={styles.dot} aria-hidden="true" />
      <div><strong>{title}</strong>{detail !== "" && <p>{detail}</p>}</div>
    </section>
  );
}

function verdict({ leader, members, voters, voters_needed: needed, voters_answering: answering, alarms }: Overview): ["good" | "warn" | "bad", string, string] {
  const named = (id: string): string => members.find((member) => member.id === id)?.name ?? hexId(id);
  const silent = members.filter(({ health }) => health === "silent").map(({ name, hex, id }) => name || (hex ?? hexId(id)));
  if (answering < needed) {
    return ["bad", "There is no quorum", `${answering} of ${plural(voters, "member")} answer, and ${needed} have to. Nothing can be written until more are back.`];
  }
  if (leader === undefined) return ["bad", "There is no leader", "The members elect one. Writes wait for it."];
  if (alarms.length > 0) {
    const said = alarms.map(({ member, alarm }) => `${alarm} on ${named(member)}`).join(", ");
    return ["bad", `Alarm: ${said}`, alarms.some(({ alarm }) => alarm === "NOSPACE") ? "A database is full: nothing can be written until there is room and the alarm is disarmed." : ""];
  }
  if (silent.length > 0) {
    const spare = answering - needed;
    const more = spare > 0 ? `${spare} more may fail.` : "If one more fails, nothing can be written.";
    return ["warn", `${silent.join(", ")} ${silent.length === 1 ? "does" : "do"} not answer`, `The cluster goes on without. ${more}`];
  }
  const spare = answering - needed;
  return ["good", "All is well", spare > 0 ? `${plural(spare, "member")} may fail, and it goes on.` : voters === 1 ? "One member: if it fails, it is gone until it is back." : "If one member fails, nothing can be written."];
}
