// Members: who they are, how they are, and changes that leave the quorum.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { type Overview, followOverview, overview } from "../../api/overview";
import { useIsRoot } from "../../api/session";
import { useMayChange } from "../../api/settings";
import { plural } from "../../model/text";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { Card, Note, Page, Table, Tag } from "../../parts/Page";
import { Loading } from "../../parts/States";
import { useKey } from "../../parts/useKey";
import { Failure } from "../Failure";
import { Add } from "./Add";
import { commands } from "./commands";
import styles from "./Members.module.css";
import { Row } from "./Row";
import { Upkeep } from "./Upkeep";

const KEY = ["members", "overview"];

export default function Members() {
  const queries = useQueryClient();
  const isRoot = useIsRoot();
  const mayChange = useMayChange() && isRoot;
  const [isNew, setNew] = useState(false);
  const { data, error, isPending, refetch } = useQuery({ queryKey: KEY, queryFn: ({ signal }) => overview(signal) });
  useEffect(() => followOverview((told) => queries.setQueryData<Overview>(KEY, told)), [queries]);
  useKey("n", mayChange && data ? () => setNew(true) : undefined);
  const anew = () => queries.invalidateQueries({ queryKey: KEY });
  const add = mayChange && data && <Button look="main" icon="plus" onClick={() => setNew(true)}>Add a member</Button>;
  return (
    <Page title="Members" about="Changes go one at a time: a member is added as a learner, catches up, and is promoted; it is removed only while those that are left can decide." tools={<>{add}<CopyAs commands={commands.list()} /></>}>
      {error && !data && <Failure error={error} again={() => void refetch()} wish="see the members" />}
      {isPending && <Loading what="members" />}
      {data && (
        <>
          <Quorum of={data} />
          {!isRoot && <Note>Changing members is for users with the role root.</Note>}
          <Card flush title={plural(data.members.length, "member")}>
            <Table label="Members" columns={["Member", "State", "Database", "Addresses", "_What may be done"]}>
              {data.members.map((member) => <Row key={member.id} member={member} of={data} mayChange={mayChange} onChange={anew} />)}
            </Table>
          </Card>
          <Upkeep of={data} mayChange={mayChange} onChange={anew} />
        </>
      )}
      {isNew && data && <Add of={data} onChange={anew} onClose={() => setNew(false)} />}
    </Page>
  );
}

function Quorum({ of }: { of: Overview }) {
  const spare = of.voters_answering - of.voters_needed;
  const words = `${of.voters_answering} of ${of.voters} voters answer, ${of.voters_needed} needed`;
  if (of.leader === undefined || spare < 0) return <Note danger>There is no leader: {words}. Nothing can be changed until enough are back.</Note>;
  return (
    <p className={styles.quorum} role="status">
      <Tag look={spare > 0 ? "good" : "warn"}>{spare > 0 ? `${plural(spare, "member")} may fail` : "none may fail"}</Tag>
      <span className={styles.soft}>{words}</span>
    </p>
  );
}
