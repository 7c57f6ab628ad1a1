// Users and roles: who is asked who he is, who there is, and who may do what.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";

import * as api from "../../api/access";
import { Problem } from "../../api/problem";
import { session } from "../../api/session";
import { useMayChange } from "../../api/settings";
import { useStore } from "../../api/store";
import { Button } from "../../parts/Button";
import { Note, Page } from "../../parts/Page";
import type { Route } from "../../parts/route";
import { Failed, Loading } from "../../parts/States";
import { Authentication } from "./Authentication";
import { OwnPassword } from "./OwnPassword";
import { Roles } from "./Roles";
import { Tester } from "./Tester";
import { UserTable } from "./UserTable";

export default function Users({ route }: { route: Route }) {
  const queries = useQueryClient();
  const mayChange = useMayChange();
  const who = useStore(session);
  const [isOwn, setOwn] = useState(false);
  const on = useQuery({ queryKey: ["access", "on"], queryFn: ({ signal }) => api.isOn(signal) });
  const users = useQuery({ queryKey: ["access", "users"], queryFn: ({ signal }) => api.users(signal) });
  const roles = useQuery({ queryKey: ["access", "roles"], queryFn: ({ signal }) => api.roles(signal) });
  const anew = () => queries.invalidateQueries({ queryKey: ["access"] });
  const error = users.error ?? roles.error;
  const isRefused = error instanceof Problem && error.status === 403;
  const names = users.data?.map(({ name }) => name) ?? (who?.user === undefined ? [] : [who.user]);
  const own = who?.user !== undefined && mayChange && <Button onClick={() => setOwn(true)}>My password…</Button>;

  return (
    <Page title="Users and roles" about="A role says what may be done with which keys, and a user has roles. Nobody is asked who he is while authentication is off." tools={own}>
      {on.data !== undefined && !isRefused && <Authentication isOn={on.data} mayChange={mayChange} onChange={anew} />}
      {isRefused && <Note>Users and roles are for root to see. What you may do yourself is below.</Note>}
      {error && !isRefused && <Failed error={error} again={() => void anew()} />}
      {(users.isPending || roles.isPending) && !error && <Loading what="users and roles" />}
      {users.data && roles.data && !isRefused && (
        <>
          <UserTable users={users.data} roles={roles.data} mayChange={mayChange} onChange={anew} />
          <Roles roles={roles.data} mayChange={mayChange} onChange={anew} />
        </>
      )}
      {names.length > 0 && <Tester key={route.query.toString()} names={names} query={route.query} />}
      {isOwn && who?.user !== undefined && <OwnPassword name={who.user} onClose={() => setOwn(false)} />}
    </Page>
  );
}
