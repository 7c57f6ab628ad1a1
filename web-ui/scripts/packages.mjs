// What the lock file has installed: name, version, licence, and whether it goes into the console or only builds it.
import { readFile, readdir } from "node:fs/promises";

const ROOT = new URL("../", import.meta.url);

export async function packages() {
  const lock = JSON.parse(await readFile(new URL("package-lock.json", ROOT), "utf8"));
  const there = Object.entries(lock.packages).filter(([path]) => path !== "");
  return there.map(([path, entry]) => ({
    path,
    name: path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length),
    version: entry.version,
    license: entry.license,
    resolved: entry.resolved,
    integrity: entry.integrity,
    builds: entry.dev === true || entry.devOptional === true,
  }));
}

/** The text of a package's licence, as it came with it. */
export async function licenseText({ path }) {
  const folder = new URL(`${path}/`, ROOT);
  const name = (await readdir(folder)).find((file) => /^(licen[sc]e|copying)/i.test(file));
  return name ? (await readFile(new URL(name, folder), "utf8")).trim() : undefined;
}
