// A file of keys that is being written.
import type { Exported } from "../api/transfer";
import { bytes } from "../model/text";
import { MOST_YAML_BYTES } from "./backup/limits";

export type Format = "ndjson" | "json" | "yaml";

/** Lines that wait to be handed to the browser, which may keep them elsewhere than in memory. */
const PART_LETTERS = 4 * 1024 * 1024;

/** What has been written so far. */
export class Written {
  readonly #keys: Exported[] = [];
  readonly #parts: Blob[] = [];
  #lines = "";
  #count = 0;
  #letters = 0;

  constructor(readonly format: Format) {}

  /** Tells how many keys there are. */
  take(keys: readonly Exported[]): number {
    this.#count += keys.length;
    if (this.format === "ndjson") {
      for (const key of keys) this.#lines += `${JSON.stringify(key)}\n`;
      if (this.#lines.length > PART_LETTERS) this.#flush();
      return this.#count;
    }
    this.#keys.push(...keys);
    for (const { value, value_b64 } of keys) this.#letters += (value ?? value_b64 ?? "").length;
    if (this.format === "yaml" && this.#letters > MOST_YAML_BYTES) throw new Error(`The values have more than ${bytes(MOST_YAML_BYTES)}, which is what can be read back from YAML here. NDJSON takes all of them.`);
    return this.#count;
  }

  async parts(): Promise<BlobPart[]> {
    if (this.format === "json") return [`${JSON.stringify({ keys: this.#keys }, null, 2)}\n`];
    if (this.format === "yaml") return [(await import("../model/yaml")).written(this.#keys)];
    this.#flush();
    return this.#parts;
  }

  #flush(): void {
    this.#parts.push(new Blob([this.#lines]));
    this.#lines = "";
  }
}
