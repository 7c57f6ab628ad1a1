// Every package of the console, and of what builds it, has a licence that is allowed, comes from the registry, and is pinned by a hash.
import { packages } from "../web-ui/scripts/packages.mjs";

const ALLOWED = new Set(["0BSD", "Apache-2.0", "BlueOak-1.0.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MPL-2.0", "Python-2.0", "CC-BY-4.0"]);
/** What goes into the console may ask for a notice, and for nothing else. */
const EMBEDDED = new Set(["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"]);

const there = await packages();
const problems = there.flatMap(({ name, version, license, resolved, integrity, builds }) => {
  const one = `${name} ${version}`;
  const licences = (license ?? "none").replace(/[()]/g, "").split(" OR ");
  const allowed = builds ? ALLOWED : EMBEDDED;
  return [
    ...(licences.some((each) => each.split(" AND ").every((part) => allowed.has(part))) ? [] : [`${one}: ${license} is not allowed`]),
    // Without an address it is the registry that npm is set to; the hash says which bytes.
    ...(integrity && !resolved ? [] : [`${one}: not a hash of what the registry has`]),
  ];
});
console.log(problems.join("\n") || `licences and sources of ${there.length} packages of the console are fine`);
process.exit(problems.length ? 1 : 0);
