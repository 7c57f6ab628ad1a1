// Users and roles.
import { type Row, code, row } from "./row.ts";

export const AUTH: Record<string, Row> = {
  "etcdserverpb.Auth.AuthEnable": row(async ({ kv, bytes, secured, refusal }) => secured(async (asRoot) => {
    const refused = await refusal(kv.put({ key: bytes("secured/a") }));
    await kv.put({ key: bytes("secured/a") }, asRoot);
    return refused;
  }), [code.INVALID_ARGUMENT, "etcdserver: user name is empty"]),
  "etcdserverpb.Auth.AuthDisable": row(async ({ kv, bytes, secured }) => {
    await secured(async () => undefined);
    return (await kv.range({ key: bytes("nothing"), countOnly: true })).count;
  }, 0n),
  "etcdserverpb.Auth.AuthStatus": row(async ({ auth, secured }) => {
    const on = await secured(async (asRoot) => (await auth.authStatus({}, asRoot)).enabled);
    return [on, (await auth.authStatus({})).enabled];
  }, [true, false]),
  "etcdserverpb.Auth.Authenticate": row(async ({ auth, kv, bytes, secured, refusal }) => secured(async () => [
    (await auth.authenticate({ name: "root", password: "secret" })).token.length > 10,
    await refusal(auth.authenticate({ name: "root", password: "wrong" })),
    await refusal(kv.range({ key: bytes("a") }, { headers: { authorization: "nonsense" } })),
  ]), [true, [code.INVALID_ARGUMENT, "etcdserver: authentication failed, invalid user ID or password"], [code.UNAUTHENTICATED, "etcdserver: invalid auth token"]]),
  "etcdserverpb.Auth.UserAdd": row(async ({ auth, refusal }) => {
    await auth.userAdd({ name: "added", password: "p" });
    const twice = await refusal(auth.userAdd({ name: "added", password: "p" }));
    await auth.userDelete({ name: "added" });
    return twice;
  }, [code.FAILED_PRECONDITION, "etcdserver: user name already exists"]),
  "etcdserverpb.Auth.UserGet": row(async ({ auth, refusal }) => refusal(auth.userGet({ name: "nobody" })), [code.FAILED_PRECONDITION, "etcdserver: user name not found"]),
  "etcdserverpb.Auth.UserList": row(async ({ auth }) => {
    for (const name of ["b", "a"]) await auth.userAdd({ name, password: "p" });
    const { users } = await auth.userList({});
    for (const name of ["b", "a"]) await auth.userDelete({ name });
    return users;
  }, ["a", "b"]),
  "etcdserverpb.Auth.UserDelete": row(async ({ auth }) => {
    await auth.userAdd({ name: "gone", password: "p" });
    await auth.userDelete({ name: "gone" });
    return (await auth.userList({})).users;
  }, []),
  "etcdserverpb.Auth.UserChangePassword": row(async ({ auth, secured, refusal }) => secured(async (asRoot) => {
    await auth.userAdd({ name: "u", password: "old" }, asRoot);
    await auth.userChangePassword({ name: "u", password: "new" }, asRoot);
    const old = await refusal(auth.authenticate({ name: "u", password: "old" }));
    const { token } = await auth.authenticate({ name: "u", password: "new" });
    await auth.userDelete({ name: "u" }, asRoot);
    return [old?.[0], token.length > 0];
  }), [code.INVALID_ARGUMENT, true]),
  "etcdserverpb.Auth.UserGrantRole": row(async ({ auth }) => {
    await auth.userAdd({ name: "u", password: "p" });
    await auth.roleAdd({ name: "r" });
    await auth.userGrantRole({ user: "u", role: "r" });
    const { roles } = await auth.userGet({ name: "u" });
    await auth.userDelete({ name: "u" });
    await auth.roleDelete({ role: "r" });
    return roles;
  }, ["r"]),
  "etcdserverpb.Auth.UserRevokeRole": row(async ({ auth }) => {
    await auth.userAdd({ name: "u", password: "p" });
    await auth.roleAdd({ name: "r" });
    await auth.userGrantRole({ user: "u", role: "r" });
    await auth.userRevokeRole({ name: "u", role: "r" });
    const { roles } = await auth.userGet({ name: "u" });
    await auth.userDelete({ name: "u" });
    await auth.roleDelete({ role: "r" });
    return roles;
  }, []),
  "etcdserverpb.Auth.RoleAdd": row(async ({ auth, refusal }) => {
    await auth.roleAdd({ name: "r" });
    const twice = await refusal(auth.roleAdd({ name: "r" }));
    await auth.roleDelete({ role: "r" });
    return twice;
  }, [code.FAILED_PRECONDITION, "etcdserver: role name already exists"]),
  "etcdserverpb.Auth.RoleGet": row(async ({ auth, refusal }) => refusal(auth.roleGet({ role: "none" })), [code.FAILED_PRECONDITION, "etcdserver: role name not found"]),
  "etcdserverpb.Auth.RoleList": row(async ({ auth }) => {
    for (const name of ["b", "a"]) await auth.roleAdd({ name });
    const { roles } = await auth.roleList({});
    for (const role of ["b", "a"]) await auth.roleDelete({ role });
    return roles;
  }, ["a", "b"]),
  "etcdserverpb.Auth.RoleDelete": row(async ({ auth }) => {
    await auth.roleAdd({ name: "gone" });
    await auth.roleDelete({ role: "gone" });
    return (await auth.roleList({})).roles;
  }, []),
  "etcdserverpb.Auth.RoleGrantPermission": row(async ({ auth, bytes, text }) => {
    await auth.roleAdd({ name: "r" });
    await auth.roleGrantPermission({ name: "r", perm: { permType: 2, key: bytes("app/"), rangeEnd: bytes("app0") } });
    const { perm } = await auth.roleGet({ role: "r" });
    await auth.roleDelete({ role: "r" });
    return [perm.length, perm[0].permType, text(perm[0].key), text(perm[0].rangeEnd)];
  }, [1, 2, "app/", "app0"]),
  "etcdserverpb.Auth.RoleRevokePermission": row(async ({ auth, bytes }) => {
    await auth.roleAdd({ name: "r" });
    await auth.roleGrantPermission({ name: "r", perm: { permType: 0, key: bytes("a") } });
    await auth.roleRevokePermission({ role: "r", key: bytes("a") });
    const { perm } = await auth.roleGet({ role: "r" });
    await auth.roleDelete({ role: "r" });
    return perm;
  }, []),
};
