// Subtrees out of the store and into it.
import { type Key, base64, bytesOfBase64, ofNamed } from "../model/keys";
import type { Batch, There } from "../model/transfer";
import { address } from "./base";
import { send } from "./client";
import type { components } from "./generated/schema";

type KeyValue = components["schemas"]["KeyValue"];

export function snapshotAddress(): string {
  return address("v3/snapshot").href;
}

/** A file of lines, as the server sends it. */
export function exportAddress(prefix: Key): string {
  return address("v3/keys", { prefix_b64: base64(prefix), recursive: true, download: true }).href;
}

/** All keys below a prefix as lines, `told` of how many there are so far. */
async function lines(prefix: Key, told: (count: number) => void, signal?: AbortSignal): Promise<KeyValue[]> {
  const headers = { accept: "application/x-ndjson" };
  const response = await send(address("v3/keys", { prefix_b64: base64(prefix), recursive: true }), { headers, ...(signal && { signal }) });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const all: KeyValue[] = [];
  let rest = "";
  const take = (line: string): void => {
    if (line === "") return;
    const read = JSON.parse(line) as KeyValue & { status?: number; detail?: string };
    if (read.status !== undefined) throw new Error(read.detail ?? "The list broke off");
    all.push(read);
  };
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    const parts = (rest + part.value).split("\n");
    rest = parts.pop() ?? "";
    parts.forEach(take);
    told(all.length);
  }
  take(rest);
  return all;
}

/** What is below a prefix now. */
export async function there(prefix: Key, told: (count: number) => void): Promise<There[]> {
  return (await lines(prefix, told)).map((kv) => ({
    key: ofNamed(kv),
    value: kv.value_b64 === undefined ? new TextEncoder().encode(kv.value ?? "") : bytesOfBase64(kv.value_b64),
    modRevision: kv.mod_revision,
  }));
}

/** The same as one document, to be read by people. */
export async function asJson(prefix: Key, told: (count: number) => void): Promise<string> {
  return `${JSON.stringify({ keys: await lines(prefix, told) }, null, 2)}\n`;
}

export async function apply(batch: Batch): Promise<void> {
  await send(address("v3/keys:batch"), { method: "POST", body: JSON.stringify(batch) });
}
