// How the cluster is, at a glance and as it changes.
import { count, hexId } from "../../model/text";
import { Failed, Loading } from "../../parts/States";
import { Charts } from "./Charts";
import { Members } from "./Members";
import styles from "./Overview.module.css";
import { Status } from "./Status";
import { useOverview } from "./useOverview";

export default function OverviewScreen() {
  const { data, error, refetch } = useOverview();
  if (!data) return error ? <Failed error={error} again={() => void refetch()} /> : <Loading what="the overview" />;
  const leader = data.members.find(({ id }) => id === data.leader);
  const facts = [
    ["Leader", leader ? leader.name || hexId(leader.id) : "none"],
    ["Term", count(data.raft_term)],
    ["Revision", count(data.revision)],
    ["Version", data.cluster_version ?? "not agreed on"],
    ["Cluster", hexId(data.cluster_id)],
  ] as const;
  return (
    <div className={styles.screen}>
      <h1 className="unseen">Overview</h1>
      <Status overview={data} />
      <dl className={styles.facts}>
        {facts.map(([name, fact]) => <div key={name}><dt>{name}</dt><dd className={name === "Cluster" ? "mono" : ""}>{fact}</dd></div>)}
      </dl>
      <Members overview={data} />
      <Charts />
    </div>
  );
}
