// The API, as the server describes it itself: every operation, to read and to try.
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";

import { load } from "../../api/spec";
import { Failed, Loading } from "../../parts/States";
import type { Route } from "../../parts/route";
import styles from "./Explorer.module.css";
import { OperationList } from "./OperationList";
import { OperationView } from "./OperationView";
import { Start } from "./Start";

export default function Explorer({ route }: { route: Route }) {
  const { data: spec, error, refetch } = useQuery({ queryKey: ["openapi"], queryFn: load, staleTime: Infinity });
  const id = decodeURIComponent(route.rest);
  const operation = spec?.operations.find(({ operationId }) => operationId === id);
  const pane = useRef<HTMLDivElement>(null);

  // Another operation begins at its top.
  useEffect(() => {
    pane.current?.scrollTo(0, 0);
    document.getElementById("main")?.scrollTo(0, 0);
    if (operation) document.title = `${operation.summary ?? id} · Keyport API`;
  }, [id, operation]);

  if (error) return <Failed error={error} again={() => void refetch()} />;
  if (!spec) return <Loading what="the description of the API" />;
  return (
    <div className={styles.explorer}>
      <OperationList spec={spec} at={id} />
      <div className={styles.pane} ref={pane}>
        {operation ? <OperationView key={id} spec={spec} operation={operation} /> : <Start spec={spec} wanted={id} />}
      </div>
    </div>
  );
}
