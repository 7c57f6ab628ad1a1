// An import as commands for a shell: leases are granted first, and the batch takes the ids that they got.
import { curl, quoted } from "./copy";
import { sharedBy } from "./lifetimes";
import type { Draft } from "./transfer";

/** More are a long script, which a file is better for. */
export const MOST_GRANTED = 20;

/** A name that no base64 has in it. */
const name = (at: number): string => `LEASE-${at + 1}`;

export function importScript({ batch, bound }: Draft, url: { batch: string; leases: string }): string {
  const leases = [...sharedBy(bound).values()];
  const numbers = new Map(leases.map(({ id }, at) => [id, at]));
  const grants = leases.map(({ granted }, at) => {
    const asked = curl({ url: url.leases, method: "POST", body: JSON.stringify({ ttl: granted }) });
    return `LEASE_${at + 1}=$(${asked} | sed -n ${quoted('s/.*"id": *"\\([0-9]*\\)".*/\\1/p')})`;
  });
  const of = new Map(bound.map(({ put, lifetime }) => [put.key_b64, name(numbers.get(lifetime.id) ?? 0)]));
  const operations = batch.operations.map((operation) => {
    const lease = "put" in operation ? of.get(operation.put.key_b64) : undefined;
    return "put" in operation && lease !== undefined ? { put: { ...operation.put, lease } } : operation;
  });
  const sent = curl({ url: url.batch, method: "POST", body: JSON.stringify({ ...batch, operations }) });
  // The quotes end, the shell puts the id in, and they begin again.
  return [...grants, sent.replace(/"LEASE-(\d+)"/g, `"'"$LEASE_$1"'"`)].join("\n");
}
