// A page over TLS. Usage `tls.mjs URL CA`: the browser trusts the authority in that file, for as long as it runs; what shows a
// certificate of another one is no page. Succeeds or says what is wrong.
import assert from "node:assert/strict";
import { X509Certificate, createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { launch, open } from "./browser.mjs";

const [url, ca] = process.argv.slice(2);
// A chain that has a certificate with this key is taken.
const key = new X509Certificate(readFileSync(ca)).publicKey.export({ type: "spki", format: "der" });
const pin = createHash("sha256").update(key).digest("base64");
const browser = await launch(`--ignore-certificate-errors-spki-list=${pin}`);
try {
  const page = await open(browser);
  await page.goto(`${url}/docs`);
  const seen = await page.evaluate(async () => {
    const events = new EventSource("/v3/watch?key=web");
    const put = new Promise((resolve, reject) => {
      events.addEventListener("put", (event) => resolve(JSON.parse(event.data)));
      events.addEventListener("error", () => reject(new Error("the stream has failed")));
    });
    await new Promise((resolve) => events.addEventListener("opened", resolve));
    const answer = await fetch("/v3/kv/put", { method: "POST", body: JSON.stringify({ key: btoa("web"), value: btoa("1") }) });
    const status = answer.status;
    const { value } = await put;
    events.close();
    const [navigation] = performance.getEntriesByType("navigation");
    return { status, value, protocol: navigation.nextHopProtocol };
  });
  assert.deepEqual(seen, { status: 200, value: "1", protocol: "h2" });
} finally {
  await browser.close();
}
