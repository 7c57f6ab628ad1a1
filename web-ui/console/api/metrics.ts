// What the asked member counts, as Prometheus reads it.
import { bytes } from "../model/text";
import { address } from "./base";
import { send } from "./client";

const MOST_LETTERS = 8 * 1024 * 1024;

export function metricsAddress(): string {
  return address("metrics").href;
}

export async function metrics(signal?: AbortSignal): Promise<string> {
  const response = await send(address("metrics"), { headers: { accept: "text/plain" }, cache: "no-store", ...(signal && { signal }) });
  const text = await response.text();
  if (text.length > MOST_LETTERS) throw new Error(`The metrics have ${bytes(text.length)}, and ${bytes(MOST_LETTERS)} are what a page can show`);
  return text;
}
