// What is played of every RPC in a browser, by its full name, and what that has to give.
import { KV, WATCH_AND_LEASE } from "./rpcs/keys.ts";
import { CLUSTER, MAINTENANCE } from "./rpcs/members.ts";
import { CONCURRENCY, OTHERS } from "./rpcs/others.ts";
import type { Row } from "./rpcs/row.ts";
import { AUTH } from "./rpcs/users.ts";

export const RPCS: Record<string, Row> = { ...KV, ...WATCH_AND_LEASE, ...CLUSTER, ...MAINTENANCE, ...AUTH, ...CONCURRENCY, ...OTHERS };
