// The types of the API, of the document that the server describes itself with: into console/api/generated, which is not
// committed. They are made before each build, so they cannot be stale, and no diff has ten thousand lines of them.
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import openapi, { astToString } from "openapi-typescript";

const DOCUMENT = new URL("../../openapi/openapi.json", import.meta.url);
const FOLDER = new URL("../console/api/generated/", import.meta.url);

export async function writeTypes() {
  const types = astToString(await openapi(DOCUMENT, { alphabetize: true }));
  await mkdir(FOLDER, { recursive: true });
  const file = new URL("schema.d.ts", FOLDER);
  const known = await readFile(file, "utf8").catch(() => "");
  if (known === types) return;
  const aside = new URL(`schema.d.ts.${process.pid}`, FOLDER);
  await writeFile(aside, types);
  await rename(aside, file);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeTypes();
