#!/usr/bin/env python3
"""Keys over HTTP, loaded by wrk: a generator that is nobody's here, and needs less of the machine than loadgen.

    python3 tests/resources/wrk.py                 # against etcd 3.7 of `make tools`
    python3 tests/resources/wrk.py --etcd target/tools/etcd/etcd --seconds 5 --rounds 5

One key of 256 bytes, one thread of wrk with 64 connections: read and written through the JSON gateway of both servers and as a resource
here, one after the other in each round. Told are medians of the rounds, and the server's own CPU for a request. Needs wrk and
target/release/keyport.
"""

import argparse
import base64
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "backups"))
from measure import ROOT, Server  # noqa: E402  (the path comes first)

KEY, VALUE = b"key", b"v" * 256
CODED = {"key": base64.b64encode(KEY).decode(), "value": base64.b64encode(VALUE).decode()}
RANGE = f'{{"key": "{CODED["key"]}"}}'
PUT = f'{{"key": "{CODED["key"]}", "value": "{CODED["value"]}"}}'
# What is asked for, by the server's name: verb, path, body.
ASKED = {
    "range": ("etcd", "POST", "/v3/kv/range", RANGE),
    "range here": ("keyport", "POST", "/v3/kv/range", RANGE),
    "GET": ("keyport", "GET", "/v3/keys/key", ""),
    "put": ("etcd", "POST", "/v3/kv/put", PUT),
    "put here": ("keyport", "POST", "/v3/kv/put", PUT),
    "PUT": ("keyport", "PUT", "/v3/keys/key", VALUE.decode()),
}


def load(options, server, folder, verb, path, body):
    """Requests a second, and microseconds of the server's for each."""
    script = folder / "request.lua"
    script.write_text(f"wrk.method = '{verb}'\n" + (f"wrk.body = '{body}'\n" if body else ""))
    command = ["wrk", "-t1", "-c64", f"-d{options.seconds}", "-s", script, f"http://{server.address}{path}"]
    before = server.cpu()
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        raise SystemExit(f"{verb} {path}: {told}")
    count = int(re.search(r"(\d+) requests in", told)[1])
    return float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1]), (server.cpu() - before) / count * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dir", help="where the data goes; a temporary folder if not given")
    parser.add_argument("--keyport", default=ROOT / "target/release/keyport")
    parser.add_argument("--etcd", default=ROOT / "target/tools/new-etcd/etcd")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as name:
        folder = pathlib.Path(name)
        with Server("keyport", options.keyport, folder) as keyport, Server("etcd", options.etcd, folder) as etcd:
            servers, told = {"keyport": keyport, "etcd": etcd}, {what: [] for what in ASKED}
            for server in servers.values():
                server.post("/v3/kv/put", CODED)
            for _ in range(options.rounds):
                for what, (server, *request) in ASKED.items():
                    told[what].append(load(options, servers[server], folder, *request))
    print("| | a second | CPU, µs | of etcd's: a second, CPU |\n|---|---|---|---|")
    for what, rounds in told.items():
        rate, cpu = (statistics.median(figures) for figures in zip(*rounds))
        peers = told["range" if what in ("range", "range here", "GET") else "put"]
        peer_rate, peer_cpu = (statistics.median(figures) for figures in zip(*peers))
        print(f"| {what} | {rate:,.0f} | {cpu:.1f} | {rate / peer_rate:.2f}x, {cpu / peer_cpu:.2f}x |")


if __name__ == "__main__":
    main()
