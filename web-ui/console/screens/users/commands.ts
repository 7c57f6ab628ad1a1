import type { Permission } from "../../api/access";
import { address, endpoint } from "../../api/base";
import { curl, etcdctl, quoted, quotedKey } from "../../model/copy";
import { type Range, etcdctlWords, query } from "../../model/ranges";
import type { Command } from "../../parts/CopyAs";

const name = encodeURIComponent;

function pair(path: string, method: string, words: string, body?: unknown): Command[] {
  const text = body === undefined ? {} : { body: JSON.stringify(body) };
  return [
    { label: "Copy as curl", text: curl({ url: address(path).href, method, ...text }) },
    { label: "Copy as etcdctl", text: etcdctl(endpoint, words) },
  ];
}

// Passwords are never copied: they would end up in the history of a shell.
export const PASSWORD = "PASSWORD";

export const commands = {
  addUser: (user: string, hasNone: boolean) =>
    pair("v3/users", "POST", `user add ${quoted(user)}${hasNone ? " --no-password" : ""}`, hasNone ? { name: user, no_password: true } : { name: user, password: PASSWORD }),
  removeUser: (user: string) => pair(`v3/users/${name(user)}`, "DELETE", `user delete ${quoted(user)}`),
  password: (user: string) => pair(`v3/users/${name(user)}/password`, "PUT", `user passwd ${quoted(user)}`, { password: PASSWORD }),
  user: (user: string) => pair(`v3/users/${name(user)}`, "GET", `user get ${quoted(user)}`),
  role: (role: string) => pair(`v3/roles/${name(role)}`, "GET", `role get ${quoted(role)}`),
  setRole: (user: string, role: string, has: boolean) =>
    pair(`v3/users/${name(user)}/roles/${name(role)}`, has ? "PUT" : "DELETE", `user ${has ? "grant" : "revoke"}-role ${quoted(user)} ${quoted(role)}`),
  addRole: (role: string) => pair("v3/roles", "POST", `role add ${quoted(role)}`, { name: role }),
  removeRole: (role: string) => pair(`v3/roles/${name(role)}`, "DELETE", `role delete ${quoted(role)}`),
  addPermission: (role: string, permission: Permission) =>
    pair(`v3/roles/${name(role)}/permissions`, "POST", `role grant-permission ${quoted(role)} ${permission.permission} ${etcdctlWords(permission, quotedKey)}`, permission),
  removePermission: (role: string, range: Range) => [
    { label: "Copy as curl", text: curl({ url: address(`v3/roles/${name(role)}/permissions`, query(range)).href, method: "DELETE" }) },
    { label: "Copy as etcdctl", text: etcdctl(endpoint, `role revoke-permission ${quoted(role)} ${etcdctlWords(range, quotedKey)}`) },
  ],
  authentication: (enabled: boolean) => pair("v3/authentication", "PUT", enabled ? "auth enable" : "auth disable", { enabled }),
  ownPassword: (user: string) => pair("v3/session/password", "PUT", `user passwd ${quoted(user)}`, { old: PASSWORD, new: PASSWORD }),
  allowed: (user: string, range: Range | undefined) => [
    { label: "Copy as curl", text: curl({ url: address(`v3/users/${name(user)}/permissions`, range ? query(range) : {}).href }) },
    { label: "Copy as etcdctl", text: etcdctl(endpoint, `user get ${quoted(user)} --detail`) },
  ],
};
