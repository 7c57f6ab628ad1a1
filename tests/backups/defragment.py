#!/usr/bin/env python3
"""Defragmentation beside writes: the longest gap between two answered puts.

    python3 tests/backups/defragment.py                      # Keyport, then etcd: 1,000,000 keys of 256 B, each written twice

Each server gets the same keys twice, and a compaction, so that half of its file is free. Then two clients put, one request after
the other, alone for --seconds and during a defragmentation, --rounds times. The figure is the longest time in which no put at all
was answered; beside it what the slowest put took, how long the defragmentation went on, and how much memory it needed more.
Needs target/release/keyport, target/release/loadgen and an etcd; --dir on a disk with room for four times the data.
"""

import argparse
import base64
import http.client
import json
import pathlib
import shutil
import tempfile
import threading
import time

from measure import ROOT, Server, loadgen, settle


class Writer(threading.Thread):
    """Puts one key after the other, and remembers when each was answered."""

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.connection = http.client.HTTPConnection(server.address, timeout=120)
        self.number, self.stop, self.answered, self.slowest = number, False, [], 0.0

    def run(self):
        key, value = base64.b64encode(b"gap-%d" % self.number).decode(), base64.b64encode(b"v" * 256).decode()
        body = json.dumps({"key": key, "value": value})
        while not self.stop:
            begun = time.monotonic()
            self.connection.request("POST", "/v3/kv/put", body)
            answer = self.connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise SystemExit(f"a put was refused: {answer.status}")
            now = time.monotonic()
            self.slowest = max(self.slowest, now - begun)
            self.answered.append(now)


def gap(server, during):
    """The longest time without an answer, the slowest put, and how many there were, while `during` goes on."""
    writers = [Writer(server, number) for number in range(2)]
    for writer in writers:
        writer.start()
    time.sleep(0.5)
    begun = time.monotonic()
    during()
    ended = time.monotonic()
    for writer in writers:
        writer.stop = True
    for writer in writers:
        writer.join()
    times = sorted(at for writer in writers for at in writer.answered if begun - 0.2 <= at <= ended + 0.2)
    longest = max(later - earlier for earlier, later in zip(times, times[1:]))
    return longest * 1000, max(writer.slowest for writer in writers) * 1000, len(times), ended - begun


def fill(options, server):
    size = ["--keys", str(options.keys), "--value-size", str(options.value_size)]
    for _ in range(2):
        loadgen(options, server, "--workloads", "load", "--clients", "64", "--rounds", "1", *size)
    revision = server.post("/v3/maintenance/status", {})["header"]["revision"]
    server.post("/v3/kv/compaction", {"revision": revision, "physical": True})
    settle()


def sizes(server):
    status = server.post("/v3/maintenance/status", {})
    return [int(status.get(name, "0")) >> 20 for name in ("dbSize", "dbSizeInUse")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--value-size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--dir")
    parser.add_argument("--only", choices=["keyport", "etcd"])
    parser.add_argument("--keyport", default=ROOT / "target/release/keyport")
    parser.add_argument("--loadgen", default=ROOT / "target/release/loadgen")
    parser.add_argument("--etcd", default=ROOT / "target/tools/new-etcd/etcd")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="keyport-defragment-", dir=options.dir))
    try:
        for name, binary in [("keyport", options.keyport), ("etcd", options.etcd)]:
            if options.only in (None, name):
                with Server(name, binary, folder) as server:
                    measure(options, server)
                shutil.rmtree(folder / name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(options, server):
    fill(options, server)
    file, used = sizes(server)
    print(f"{server.name}: {file} MiB, of which {used} MiB are in use", flush=True)
    longest, slowest, puts, _ = gap(server, lambda: time.sleep(options.seconds))
    print(f"{server.name}: alone: no answer for {longest:.1f} ms at most, slowest put {slowest:.1f} ms, {puts} puts", flush=True)
    for _ in range(options.rounds):
        before = server.memory()
        server.forget_peak()
        longest, slowest, puts, took = gap(server, lambda: server.post("/v3/maintenance/defragment", {}))
        more = server.memory("VmHWM") - before
        print(
            f"{server.name}: {took:.2f} s of defragmentation: no answer for {longest:.1f} ms at most, slowest put {slowest:.1f} ms, "
            f"{puts} puts, {more} MiB more memory, {sizes(server)[0]} MiB afterwards",
            flush=True,
        )


if __name__ == "__main__":
    main()
