#!/usr/bin/env python3
"""A member that works for long: whether memory, descriptors, threads and disk stay what they are.

    python3 tests/resources/soak.py                      # an hour
    python3 tests/resources/soak.py --minutes 10 --restart-every 3

Rounds of a minute: puts, reads, transactions, JSON, resources, renewals and watchers on the same keys all the time, a compaction and a
defragmentation in the middle of it, and every --restart-every rounds a kill and a start on what is there. After each round, while nobody
asks for anything, a line says what the process has. At the end the last quarter of the rounds is held against the second, for the first
is when caches fill. Needs target/release/{keyport,loadgen}.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "backups"))
from measure import ROOT, Server, settle  # noqa: E402  (the path comes first)

WORKLOADS = ["mixed", "txn", "json-put", "json-range", "rest-put", "rest-get", "lease-keepalive", "watch"]
FIGURES = ["memory, MiB", "descriptors", "threads", "database, MiB", "in use, MiB", "log, MiB"]
# What the last quarter may have more than the second: a page of an allocator, a segment of the log.
MOST = 1.1


def start(options, folder):
    return Server("keyport", options.keyport, folder)


def work(options, server):
    """A round's, in the background."""
    seconds = str(options.round_seconds / len(WORKLOADS))
    command = [options.loadgen, "run", "--endpoints", server.address, "--workloads", ",".join(WORKLOADS), "--rounds", "1"]
    command += ["--warmup", "0", "--seconds", seconds, "--clients", "16", "--retries", "0", "--keyspace", str(options.keys)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def upkeep(server):
    revision = server.post("/v3/maintenance/status", {})["header"]["revision"]
    server.post("/v3/kv/compaction", {"revision": revision, "physical": True})
    server.post("/v3/maintenance/defragment", {})


def figures(server, folder):
    process = pathlib.Path(f"/proc/{server.process.pid}")
    told = server.post("/v3/maintenance/status", {})
    log = sum(file.stat().st_blocks * 512 for file in (folder / "keyport/member/wal").iterdir())
    return [
        server.memory("RssAnon"),
        len(list((process / "fd").iterdir())),
        len(list((process / "task").iterdir())),
        int(told["dbSize"]) >> 20,
        int(told["dbSizeInUse"]) >> 20,
        log >> 20,
    ]


def line(number, row):
    print(f"| {number} | " + " | ".join(str(cell) for cell in row) + " |", flush=True)


def rounds(options, folder):
    server, rows = start(options, folder), []
    try:
        end = time.monotonic() + options.minutes * 60
        while time.monotonic() < end:
            worker = work(options, server)
            time.sleep(options.round_seconds / 3)
            upkeep(server)
            _, said = worker.communicate()
            if worker.returncode:
                raise SystemExit(said)
            settle()
            rows.append(figures(server, folder))
            line(len(rows), rows[-1])
            if len(rows) % options.restart_every == 0:
                server.process.kill()
                server.process.wait()
                server = start(options, folder)
    finally:
        server.process.terminate()
        server.process.wait()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--round-seconds", type=float, default=56)
    parser.add_argument("--restart-every", type=int, default=10)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--dir", help="where the data goes; a temporary folder if not given")
    parser.add_argument("--keyport", default=ROOT / "target/release/keyport")
    parser.add_argument("--loadgen", default=ROOT / "target/release/loadgen")
    options = parser.parse_args()
    print("| round | " + " | ".join(FIGURES) + " |")
    print("|---" * (len(FIGURES) + 1) + "|")
    with tempfile.TemporaryDirectory(prefix="keyport-soak-", dir=options.dir) as folder:
        rows = rounds(options, pathlib.Path(folder))
    quarter = len(rows) // 4
    if not quarter:
        raise SystemExit("too few rounds to tell whether anything grew")
    grown = []
    for name, column in zip(FIGURES, zip(*rows)):
        before, after = statistics.median(column[quarter : 2 * quarter]), statistics.median(column[-quarter:])
        print(f"{name}: {before:g}, at the end {after:g}")
        if after > before * MOST + 1:
            grown.append(name)
    if grown:
        raise SystemExit(f"grew: {', '.join(grown)}")


if __name__ == "__main__":
    main()
