// A proxy that serves a server below a path of its own, as one that nobody has told the console of.
import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

export const PATH = "/tools/kv";

/** Passes on what is below the path, streams too, and nothing else; what it keeps to itself it does not. */
export async function proxied(to: string, kept?: string): Promise<{ at: string; end: () => void }> {
  const server = createServer((asked, answer) => {
    if (!asked.url?.startsWith(`${PATH}/`) || asked.url === kept) return void answer.writeHead(404).end();
    const onward = request(to + asked.url.slice(PATH.length), { method: asked.method ?? "GET", headers: asked.headers }, (told) => {
      answer.writeHead(told.statusCode ?? 502, told.headers);
      told.pipe(answer);
    });
    onward.on("error", () => answer.destroy());
    answer.on("close", () => onward.destroy());
    asked.pipe(onward);
    return undefined;
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    at: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    end: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
