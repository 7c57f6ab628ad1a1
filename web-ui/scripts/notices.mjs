// The notices of those whose work is in the console: a text file that goes with it.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { licenseText, packages } from "./packages.mjs";

export async function writeNotices(folder) {
  const parts = ["The console of Keyport has these packages in it."];
  for (const one of (await packages()).filter((each) => !each.builds)) {
    const text = (await licenseText(one)) ?? `${one.license} (the package has no text of it)`;
    parts.push(`${one.name} ${one.version}\n${"-".repeat(72)}\n${text}`);
  }
  await writeFile(join(folder, "notices.txt"), `${parts.join("\n\n\n")}\n`);
}
