// A call that is to be made: what a line has come to.

export interface Call {
  method: string;
  /** With its query, from `/` on. */
  path: string;
  body?: string | undefined;
  accept?: string | undefined;
  /** Of a stream, the changes after which it is enough. */
  most?: number | undefined;
  /** Whether it may change something. */
  changes: boolean;
}

/** What POST is for as well: calls of etcd's gateway that only read. */
const READS = new Set([
  "kv/range", "watch", "lease/leases", "lease/timetolive", "kv/lease/leases", "kv/lease/timetolive", "cluster/member/list", "maintenance/status",
  "maintenance/hash", "maintenance/hashkv", "maintenance/snapshot", "auth/status", "auth/user/get", "auth/user/list", "auth/role/get", "auth/role/list",
  "election/leader", "election/observe",
]);

/** Whether a request may change something. What is not known to read alone, may. */
export function mayChange(method: string, path: string): boolean {
  if (["GET", "HEAD", "OPTIONS"].includes(method)) return false;
  const name = /^\/v3(?:alpha|beta)?\/([^?]*)/.exec(path)?.[1] ?? "";
  return method !== "POST" || !READS.has(name);
}
