// Backups: all of it as a snapshot, a subtree as a file that people can read, and back.
import { endpoint } from "../../api/base";
import { snapshotAddress } from "../../api/transfer";
import { useIsRoot } from "../../api/session";
import { useMayChange } from "../../api/settings";
import { curl, etcdctl } from "../../model/copy";
import { ofText } from "../../model/keys";
import { CopyAs } from "../../parts/CopyAs";
import { Card, Note, Page } from "../../parts/Page";
import type { Route } from "../../parts/route";
import { useOwn } from "../may";
import styles from "./Backup.module.css";
import { Export } from "./Export";
import { Import } from "./Import";

export default function Backup({ route }: { route: Route }) {
  const mayChange = useMayChange();
  const isRoot = useIsRoot();
  const mayWrite = useOwn()?.write.length !== 0;
  const snapshot = [
    { label: "Copy as curl", text: curl({ url: snapshotAddress() }).replace("curl -s", "curl -fOJ") },
    { label: "Copy as etcdctl", text: etcdctl(endpoint, "snapshot save backup.db") },
  ];
  return (
    <Page title="Backup" about="A snapshot is for a disaster: the whole store, users and leases among it. A file of a subtree is for moving keys, keeping them in version control, or looking at them.">
      <Card title="Snapshot" tools={<CopyAs commands={snapshot} />}>
        <p className={styles.text}>All keys with their history, as the asked member has them, in the format of etcd. It is restored into an empty data directory, by <code>keyport</code> or by <code>etcdutl snapshot restore</code>.</p>
        {isRoot ? <a className={styles.link} href={snapshotAddress()} download>Download a snapshot</a> : <Note>A snapshot has all keys in it, and all users: it is for users with the role root.</Note>}
      </Card>
      <Export key={route.query.get("prefix") ?? ""} prefix={ofText(route.query.get("prefix") ?? "")} />
      {mayChange && mayWrite && <Import />}
      {mayChange && !mayWrite && <Note>Importing changes keys, and your roles let you change none.</Note>}
    </Page>
  );
}
