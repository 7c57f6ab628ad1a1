#!/usr/bin/env python3
"""Resources at size: what a list, a search and many subscribers cost.

    python3 tests/resources/scale.py lists         # a page of one level above 1,000, 100,000 and 1,000,000 keys
    python3 tests/resources/scale.py search        # searches through 1,000,000 keys, and what puts notice of them
    python3 tests/resources/scale.py subscribers   # 1,000 readers of events: server's CPU beside that of gRPC watchers

It starts a server of its own with fresh data in --dir. Needs target/release/keyport and target/release/loadgen. Ratios of one run
mean something; absolute figures say more about the machine.
"""

import argparse
import http.client
import json
import pathlib
import re
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "backups"))
from measure import ROOT, Server  # noqa: E402  (the path comes first)

BATCH = 1000
CHILDREN = 100
EVENTS = 1000


def fill(server, begin, end):
    """Keys of two levels: tree/<child>/<number>."""
    connection = http.client.HTTPConnection(server.address, timeout=120)
    for first in range(begin, end, BATCH):
        keys = (f"tree/{number % CHILDREN:03d}/{number:08d}" for number in range(first, min(first + BATCH, end)))
        operations = [{"put": {"key": key, "value": "v" * 64}} for key in keys]
        connection.request("POST", "/v3/keys:batch", json.dumps({"operations": operations}))
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(text)


def times(server, path, count):
    connection = http.client.HTTPConnection(server.address, timeout=120)
    took = []
    for _ in range(count):
        begun = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        took.append((time.perf_counter() - begun) * 1e6)
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status}")
    return statistics.median(took)


def lists(options, server):
    before = 0
    for keys in (1_000, 100_000, 1_000_000):
        fill(server, before, keys)
        before = keys
        levels = times(server, "/v3/keys?prefix=tree/", 300)
        page = times(server, "/v3/keys?prefix=tree/050/&limit=100&keys_only", 300)
        print(f"{keys:>9} keys: {levels:6.0f} us for {CHILDREN} levels, {page:6.0f} us for up to 100 keys", flush=True)


def puts(options, server, seconds):
    """p50 and p99 of puts by loadgen, in milliseconds."""
    command = [options.loadgen, "run", "--endpoints", server.address, "--pid", str(server.process.pid), "--workloads", "put"]
    command += ["--clients", "16", "--rounds", "1", "--seconds", str(seconds), "--warmup", "1"]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return next(line for line in out.splitlines() if re.match(r"\s*\|?\s*put\b", line))


def search(options, server):
    fill(server, 0, options.keys)
    for round_ in range(options.rounds):
        print(f"round {round_}: alone:  {puts(options, server, 5)}", flush=True)
        stop, pages, slowest = threading.Event(), [0], [0.0]

        def look():
            connection = http.client.HTTPConnection(server.address, timeout=120)
            after = ""
            while not stop.is_set():
                begun = time.perf_counter()
                connection.request("GET", f"/v3/keys?prefix=tree/&regex=nothing[0-9]%2B$&in=both&limit=100{after}")
                page = json.loads(connection.getresponse().read())
                slowest[0] = max(slowest[0], time.perf_counter() - begun)
                pages[0] += 1
                after = f"&after={page['next']}" if "next" in page else ""

        looking = threading.Thread(target=look)
        looking.start()
        print(f"round {round_}: beside: {puts(options, server, 5)}", flush=True)
        stop.set()
        looking.join()
        print(f"round {round_}: {pages[0]} pages, the slowest took {slowest[0] * 1000:.1f} ms", flush=True)


def unwatched(server):
    """Waits until the server has no watchers any more."""
    connection, deadline = http.client.HTTPConnection(server.address, timeout=120), time.monotonic() + 60
    while time.monotonic() < deadline:
        connection.request("GET", "/metrics")
        if "\netcd_debugging_mvcc_watcher_total 0\n" in connection.getresponse().read().decode():
            return
        time.sleep(0.05)
    raise SystemExit("readers that are gone are still watched for")


def subscribers(options, server):
    connections = [socket.create_connection(server.address.split(":")) for _ in range(options.subscribers)]
    selector = selectors.DefaultSelector()
    for connection in connections:
        connection.sendall(b"GET /v3/keys?prefix=w/&watch HTTP/1.1\r\nhost: localhost\r\n\r\n")
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ)
    seen = [0, 0]

    def read(until):
        while seen[0] + seen[1] < until:
            for key, _ in selector.select(1):
                data = key.fileobj.recv(1 << 16)
                seen[0] += data.count(b"event: opened")
                seen[1] += data.count(b"event: put")

    read(len(connections))
    writer = http.client.HTTPConnection(server.address)
    cpu, begun = server.cpu(), time.perf_counter()
    reading = threading.Thread(target=read, args=(len(connections) * (EVENTS + 1),))
    reading.start()
    for number in range(EVENTS):
        writer.request("PUT", f"/v3/keys/w/{number % 100}", "v" * 64)
        writer.getresponse().read()
        time.sleep(max(0, begun + (number + 1) / options.rate - time.perf_counter()))
    reading.join()
    used = server.cpu() - cpu
    print(f"events:  {used / (EVENTS * len(connections)) * 1e6:.2f} us of CPU an event, {used:.2f} s", flush=True)
    for connection in connections:
        connection.close()
    unwatched(server)
    for conns in (options.subscribers, 8):
        command = [options.loadgen, "run", "--endpoints", server.address, "--pid", str(server.process.pid)]
        command += ["--workloads", "watch", "--watchers", str(options.subscribers), "--streams", str(options.subscribers)]
        command += ["--conns", str(conns), "--rate", str(options.rate), "--rounds", "1", "--warmup", "1"]
        command += ["--seconds", str(EVENTS / options.rate), "--value-size", "64"]
        cpu = server.cpu()
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(f"gRPC over {conns} connections: {server.cpu() - cpu:.2f} s with warm-up\n{out}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["lists", "search", "subscribers"])
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dir")
    parser.add_argument("--keyport", default=ROOT / "target/release/keyport")
    parser.add_argument("--loadgen", default=ROOT / "target/release/loadgen")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="keyport-scale-", dir=options.dir))
    try:
        with Server("keyport", options.keyport, folder) as server:
            {"lists": lists, "search": search, "subscribers": subscribers}[options.what](options, server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
