// A page of the server's own origin with a stock gRPC-Web client in it, as its makers publish it: modules that the browser loads.
import { fileURLToPath } from "node:url";

import type { JSHandle, Page } from "@playwright/test";

import type { Server } from "./server.ts";

/** Below which the page is; the server has nothing there. */
const BASE = "/stock-client/";

/** Made of descriptors while it runs: the compiler knows nothing of what is called. */
type Called = any;

type Service = Record<string, Called>;
type Services = Record<"kv" | "watch" | "lease" | "cluster" | "maintenance" | "auth" | "lock" | "election" | "health" | "reflection", Called>;

/** What is in the page (`stock/page.mjs`). */
export interface Stock extends Services {
  /** Of another member. */
  at(url: string): Services;
  bytes(text: string): Uint8Array;
  text(bytes: Uint8Array): string;
  /** So many messages of a stream; something is done between them. */
  take(count: number, open: (options: object) => AsyncIterable<Service>, after?: (taken: number) => unknown): Promise<Called[]>;
  /** Again and again, until it is answered with something. */
  until(what: string, call: () => Promise<Called>): Promise<Called>;
  /** With users on. */
  secured<T>(does: (asRoot: object) => Promise<T>): Promise<T>;
  /** Code and words that a call is refused with. */
  refusal(call: Promise<unknown>): Promise<[number, string] | undefined>;
  methods: Record<string, string>;
  /** The names of what was called since this was asked last. */
  taken(): string[];
}

/** Opens the page, and tells of what is in it. */
export async function stockClient(page: Page, server: Server): Promise<JSHandle<Stock>> {
  const folder = new URL("../", import.meta.url);
  await page.route(`${server.url}${BASE}**`, (route) => {
    const name = new URL(route.request().url()).pathname.slice(BASE.length);
    return route.fulfill({ path: fileURLToPath(new URL(name, folder)) });
  });
  // Its base is the folder, so that files find one another.
  await page.route(`${server.url}${BASE}`, (route) => route.fulfill({ path: fileURLToPath(new URL("stock/index.html", folder)) }));
  // That it comes from nowhere, and not from this machine, is no reason to keep it from other members.
  await page.context().grantPermissions(["local-network-access"]);
  await page.goto(server.url + BASE);
  await page.waitForFunction("window.stock !== undefined", undefined, { timeout: 120_000 });
  return page.evaluateHandle<Stock>("window.stock");
}
