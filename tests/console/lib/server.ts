// Real servers: the binary that is under test, on free ports, with its data in a folder that goes with it.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type WriteStream, createWriteStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BINARY = process.env.KEYPORT_BIN ?? new URL("../../../target/debug/keyport", import.meta.url).pathname;
const UP_MS = 60_000;

/** Below the ports that outgoing connections take, and those of the other suites; each worker has some of its own. */
const PORTS = { first: 12_000, each: 500, workers: 16 };
let used = 0;

/** A port that nobody listens at. */
export async function freePort(): Promise<number> {
  const own = PORTS.first + (Number(process.env.TEST_PARALLEL_INDEX ?? 0) % PORTS.workers) * PORTS.each;
  for (;;) {
    const port = own + (used++ % PORTS.each);
    const probe = createServer().listen(port, "127.0.0.1");
    const isFree = await once(probe, "listening").then(() => true, () => false);
    if (!isFree) continue;
    await new Promise((done) => probe.close(done));
    return port;
  }
}

interface Place {
  name: string;
  folder: string;
  client: number;
  peer: number;
  cluster: string;
  flags: readonly string[];
}

export class Server {
  #process: ChildProcess | undefined;
  readonly #log: WriteStream;

  private constructor(readonly place: Place) {
    this.#log = createWriteStream(join(place.folder, `${place.name}.log`), { flags: "a" });
  }

  /** A server of its own. */
  static async start(...flags: string[]): Promise<Server> {
    const [server] = await Server.cluster(1, ...flags);
    if (!server) throw new Error("no server");
    return server;
  }

  /** A server that listens for clients at one more URL. */
  static async also(url: string, ...flags: string[]): Promise<Server> {
    const folder = await mkdtemp(join(tmpdir(), "keyport-console-"));
    const [client, peer] = [await freePort(), await freePort()];
    const listens = `--listen-client-urls=http://127.0.0.1:${client},${url}`;
    const server = new Server({ name: "m1", folder, client, peer, cluster: `m1=http://127.0.0.1:${peer}`, flags: [...flags, listens] });
    server.#spawn();
    await server.#isUp();
    return server;
  }

  /** Members of a cluster, all of which answer. */
  static async cluster(size: number, ...flags: string[]): Promise<Server[]> {
    const folder = await mkdtemp(join(tmpdir(), "keyport-console-"));
    const ports: [number, number][] = [];
    for (let at = 0; at < size; at += 1) ports.push([await freePort(), await freePort()]);
    const cluster = ports.map(([, peer], at) => `m${at + 1}=http://127.0.0.1:${peer}`).join(",");
    const servers = ports.map(([client, peer], at) => new Server({ name: `m${at + 1}`, folder, client, peer, cluster, flags }));
    for (const server of servers) server.#spawn();
    for (const server of servers) await server.#isUp();
    return servers;
  }

  /** One more, which others have been told of: it listens to its peers at a port. */
  static async joining(others: readonly Server[], peer: number): Promise<Server> {
    const [first] = others;
    if (!first) throw new Error("nobody to join");
    const { folder, cluster, flags } = first.place;
    const name = `m${others.length + 1}`;
    const whole = `${cluster},${name}=http://127.0.0.1:${peer}`;
    const server = new Server({ name, folder, client: await freePort(), peer, cluster: whole, flags: [...flags, "--initial-cluster-state=existing"] });
    server.#spawn();
    // A learner is not ready for those who want a member with a vote.
    await server.#isUp("livez");
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.place.client}`;
  }

  /** The page of a screen. */
  page(at = ""): string {
    return `${this.url}/ui/#/${at}`;
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    const process = this.#process;
    if (process?.exitCode !== null || process.signalCode !== null) return;
    process.kill("SIGKILL");
    await once(process, "exit");
  }

  /** Where it was, with what it had. */
  async restart(): Promise<void> {
    await this.kill();
    this.#spawn();
    await this.#isUp();
  }

  async end(): Promise<void> {
    await this.kill();
    this.#log.end();
    await rm(this.place.folder, { recursive: true, force: true });
  }

  async put(key: string, value: string | Uint8Array, query = ""): Promise<string> {
    const path = key.split("/").map(encodeURIComponent).join("/");
    const answer = await fetch(`${this.url}/v3/keys/${path}${query}`, { method: "PUT", body: value as BodyInit });
    if (!answer.ok) throw new Error(`${key}: ${answer.status} ${await answer.text()}`);
    return answer.headers.get("keyport-revision") ?? "";
  }

  async get(key: string): Promise<string | undefined> {
    const path = key.split("/").map(encodeURIComponent).join("/");
    const answer = await fetch(`${this.url}/v3/keys/${path}`);
    return answer.ok ? await answer.text() : undefined;
  }

  /** Sends JSON, and tells what comes back. */
  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<unknown> {
    const answer = await fetch(this.url + path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }

  /** Many keys, a thousand in a request. */
  async fill(count: number, keyOf: (at: number) => string): Promise<void> {
    for (let from = 0; from < count; from += 1_000) {
      const length = Math.min(1_000, count - from);
      const operations = Array.from({ length }, (_, at) => ({ put: { key: keyOf(from + at), value: `value ${from + at}` } }));
      await this.call("POST", "/v3/keys:batch", { operations });
    }
  }

  /** A root user with the password `secret`, and users on. */
  async secure(): Promise<void> {
    await this.call("POST", "/v3/users", { name: "root", password: "secret" });
    await this.call("POST", "/v3/roles", { name: "root" });
    await this.call("PUT", "/v3/users/root/roles/root");
    await this.call("PUT", "/v3/authentication", { enabled: true });
  }

  #spawn(): void {
    const { name, folder, client, peer, cluster, flags } = this.place;
    const [own, others] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
    const settings = [
      `--name=${name}`, `--data-dir=${join(folder, name)}`, "--log-level=warn", "--bcrypt-cost=4",
      `--listen-client-urls=${own}`, `--advertise-client-urls=${own}`,
      `--listen-peer-urls=${others}`, `--initial-advertise-peer-urls=${others}`, `--initial-cluster=${cluster}`,
    ];
    // What is said to the specs is not for the server, which takes such names for its own.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("KEYPORT_")));
    const child = spawn(BINARY, [...settings, ...flags], { stdio: ["ignore", "pipe", "pipe"], env });
    child.stdout.pipe(this.#log, { end: false });
    child.stderr.pipe(this.#log, { end: false });
    this.#process = child;
  }

  async #isUp(probe = "readyz"): Promise<void> {
    const deadline = Date.now() + UP_MS;
    while (Date.now() < deadline && this.#process?.exitCode === null) {
      const answer = await fetch(`${this.url}/${probe}`).catch(() => undefined);
      if (answer?.ok) return;
      await new Promise((again) => setTimeout(again, 50));
    }
    await this.kill();
    throw new Error(`${this.place.name} is not up:\n${await readFile(join(this.place.folder, `${this.place.name}.log`), "utf8")}`);
  }
}
