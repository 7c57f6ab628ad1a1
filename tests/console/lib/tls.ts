// An authority of one's own, what it has issued, and a browser that trusts it.
import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Authority {
  /** Of a server at `localhost` and 127.0.0.1. */
  certificate: string;
  key: string;
  /** The home of somebody whose browser trusts it. */
  home: string;
  end: () => void;
}

/** Makes one, by OpenSSL, and a certificate for this machine. */
export function authority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), "keyport-console-tls-"));
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => void execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=an authority of our own", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign");
  openssl("req", ...newKey, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=a server");
  writeFileSync(at("server.ext"), "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n");
  openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "server.pem", "-days", "2", "-extfile", "server.ext");
  // Chromium asks the store that is in somebody's home.
  const store = at("home/.pki/nssdb");
  mkdirSync(store, { recursive: true });
  const certutil = (...args: string[]): void => void execFileSync("certutil", ["-d", `sql:${store}`, ...args], { stdio: "pipe" });
  certutil("-N", "--empty-password");
  certutil("-A", "-t", "C,,", "-n", "ours", "-i", at("ca.pem"));
  return { certificate: at("server.pem"), key: at("server.key"), home: at("home"), end: () => rmSync(folder, { recursive: true, force: true }) };
}
