// Users, roles, and who is asked who he is.
import { type Range, query } from "../model/ranges";
import { call } from "./client";
import type { components } from "./generated/schema";
import { asked, begin } from "./session";

type Schemas = components["schemas"];

export type What = "read" | "write" | "readwrite";
export type User = Schemas["User"];
export type Allowed = Schemas["UserPermissions"];
export interface Permission extends Range {
  permission: What;
}
export interface Role {
  name: string;
  permissions: Permission[];
}

export async function isOn(signal?: AbortSignal): Promise<boolean> {
  return (await call("get", "/v3/authentication", { signal })).enabled;
}

export async function users(signal?: AbortSignal): Promise<User[]> {
  const { users: all } = await call("get", "/v3/users", { signal });
  return Promise.all(all.map(({ name }) => call("get", "/v3/users/{name}", { at: { name }, signal })));
}

export async function roles(signal?: AbortSignal): Promise<Role[]> {
  const { roles: all } = await call("get", "/v3/roles", { signal });
  return Promise.all(all.map(({ name }) => call("get", "/v3/roles/{name}", { at: { name }, signal })));
}

/** A user; without a password he comes with a certificate. */
export async function addUser(name: string, password: string | undefined): Promise<void> {
  await call("post", "/v3/users", { body: password === undefined ? { name, no_password: true } : { name, password } });
}

export async function removeUser(name: string): Promise<void> {
  await call("delete", "/v3/users/{name}", { at: { name } });
}

export async function setPassword(name: string, password: string): Promise<void> {
  await call("put", "/v3/users/{name}/password", { at: { name }, body: { password } });
}

export async function setRole(name: string, role: string, has: boolean): Promise<void> {
  if (has) await call("put", "/v3/users/{name}/roles/{role}", { at: { name, role } });
  else await call("delete", "/v3/users/{name}/roles/{role}", { at: { name, role } });
}

export async function addRole(name: string): Promise<void> {
  await call("post", "/v3/roles", { body: { name } });
}

export async function removeRole(name: string): Promise<void> {
  await call("delete", "/v3/roles/{name}", { at: { name } });
}

export async function addPermission(name: string, permission: Permission): Promise<void> {
  await call("post", "/v3/roles/{name}/permissions", { at: { name }, body: permission });
}

export async function removePermission(name: string, range: Range): Promise<void> {
  await call("delete", "/v3/roles/{name}/permissions", { at: { name }, query: query(range) });
}

export async function allowed(name: string, range: Range | undefined, signal?: AbortSignal): Promise<Allowed> {
  return call("get", "/v3/users/{name}/permissions", { at: { name }, query: range ? query(range) : {}, signal });
}

export async function turnOff(): Promise<void> {
  await call("put", "/v3/authentication", { body: { enabled: false } });
}

/** Everybody is asked from now on. Root is there first, with a password that is known; and the page goes on as root. */
export async function turnOn(password: string): Promise<void> {
  const there = await call("get", "/v3/users");
  if (there.users.some(({ name }) => name === "root")) await setPassword("root", password);
  else await addUser("root", password);
  const known = await call("get", "/v3/roles");
  if (!known.roles.some(({ name }) => name === "root")) await addRole("root");
  const root = await call("get", "/v3/users/{name}", { at: { name: "root" } });
  if (!root.roles.includes("root")) await setRole("root", "root", true);
  await call("put", "/v3/authentication", { body: { enabled: true } });
  await begin("root", password);
  // Who was refused meanwhile goes on.
  asked.get()?.done(true);
}

/** All sessions of the user end with the old password; that of the page begins anew. */
export async function setOwnPassword(name: string, old: string, to: string): Promise<void> {
  await call("put", "/v3/session/password", { body: { old, new: to } });
  await begin(name, to);
  asked.get()?.done(true);
}
