// A call that somebody has written, as a command for a shell.
import { base } from "../api/base";
import { curl } from "../model/copy";
import type { Call } from "../model/query/call";

export function curlOf({ method, path, body, accept }: Call): string {
  return curl({ url: base.href + path.slice(1), method, ...(accept !== undefined && { headers: { Accept: accept } }), ...(body !== undefined && { body }) });
}
