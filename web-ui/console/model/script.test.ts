import { expect, test } from "vitest";

import { importScript } from "./script";
import { batches } from "./transfer";

test("a lease is granted once, and its keys get its id", () => {
  const [shared, own] = [{ id: "7", granted: 600, left: 5 }, { id: "9", granted: 60, left: undefined }];
  const value = new TextEncoder().encode("it's");
  const [draft] = batches([
    { kind: "create", key: "a", after: value, lifetime: shared },
    { kind: "create", key: "b", after: value, lifetime: shared },
    { kind: "create", key: "c", after: value, lifetime: own },
    { kind: "create", key: "d", after: value },
  ]);
  expect(draft).toBeDefined();
  const script = draft ? importScript(draft, { batch: "http://h/v3/keys:batch", leases: "http://h/v3/leases" }) : "";
  const [first, second, sent, end] = script.split("\n");
  expect(first).toMatch(/^LEASE_1=\$\(curl .*'\{"ttl":600\}' http:\/\/h\/v3\/leases \| sed /);
  expect(second).toMatch(/^LEASE_2=\$\(curl .*'\{"ttl":60\}' /);
  expect(sent?.match(/"lease":"'"\$LEASE_\d"'"/g)).toEqual([1, 1, 2].map((at) => `"lease":"'"$LEASE_${at}"'"`));
  expect(end).toBeUndefined();
});
