// Builds the console into a folder, packs what gets shorter by it, and lists the files for the server's table:
//   node scripts/build.mjs FOLDER
import { createHash } from "node:crypto";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "vite";

import { writeNotices } from "./notices.mjs";
import { writeTypes } from "./types.mjs";

const TYPES = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
  txt: "text/plain; charset=utf-8",
};

const [folder] = process.argv.slice(2);
if (!folder) throw new Error("usage: node scripts/build.mjs FOLDER");

await writeTypes();
await build({ build: { outDir: folder, emptyOutDir: true }, logLevel: "warn" });
await writeNotices(folder);

const lines = [];
for (const name of (await readdir(folder)).sort()) {
  const type = TYPES[name.split(".").pop()];
  if (!type) throw new Error(`${name}: of which type is it?`);
  lines.push([name, type, ...(await pack(name))].join("\t"));
}
await writeFile(join(folder, "files.tsv"), `${lines.join("\n")}\n`);

/** Writes the packed forms beside a file; tells its hash and which forms there are. */
async function pack(name) {
  const plain = await readFile(join(folder, name));
  const forms = [
    ["br", ".br", brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } })],
    ["gzip", ".gz", gzipSync(plain, { level: 9 })],
  ].filter(([, , packed]) => packed.length < plain.length);
  for (const [, ending, packed] of forms) await writeFile(join(folder, name + ending), packed);
  const hash = createHash("sha256").update(plain).digest("hex").slice(0, 32);
  return [hash, forms.map(([form]) => form).join(",")];
}
