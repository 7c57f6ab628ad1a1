// What may come next: what is known of calls, and keys that are there.
import { begin } from "../../api/keys";
import { quotedKey } from "../../model/copy";
import { type Key, ofAddress, ofText } from "../../model/keys";
import { complete } from "../../model/query/complete";
import type { Spec } from "../../model/spec";
import type { Suggested } from "../../parts/calls";

const MOST_KEYS = 30;

export async function suggest(lines: readonly string[], spec: Spec | undefined, signal: AbortSignal): Promise<Suggested | undefined> {
  const found = complete(lines, spec);
  if (!found) return undefined;
  const { from, options, keys } = found;
  if (!keys) return { from, options };
  const written = (key: Key): string => (keys.isPath ? key : quotedKey(key));
  // Keys are a help, and none where they cannot be read.
  const there = await begin(keys.isPath ? ofAddress(keys.begin) : ofText(keys.begin), MOST_KEYS, signal).catch(() => []);
  const shown = there.map((key) => ({ label: written(key), detail: key.endsWith("/") ? "level" : "key" }));
  return { from, options: [...shown, ...options] };
}
