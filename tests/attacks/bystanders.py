#!/usr/bin/env python3
"""How long others wait while one client asks for much.

    python3 tests/attacks/bystanders.py 127.0.0.1:2379 [attack ...]

fills a server (Keyport, or etcd with its JSON gateway) with keys, then runs each attack for some seconds, with eight
other clients beside it that get and put one small key each, and prints the longest that any of them waited for an
answer. Whoever attacks does so from a process of its own, so that what it does with the answers is not measured.
"""

import base64
import http.client
import json
import multiprocessing
import socket
import sys
import threading
import time

KEYS = 200_000
SECONDS = 6
EVERYTHING = {"key": "AA==", "range_end": "AA=="}


def b64(text):
    return base64.b64encode(text.encode()).decode()


def call(connection, path, body):
    connection.request("POST", path, json.dumps(body))
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status} {text[:200]}")
    return json.loads(text)


def fill(address):
    """Writes every key twice; returns a revision at which all had their first value."""
    connection = http.client.HTTPConnection(address)
    value, first = b64("v" * 200), None
    for _ in range(2):
        for start in range(0, KEYS, 100):
            puts = [{"requestPut": {"key": b64(f"k{i:07}"), "value": value}} for i in range(start, start + 100)]
            answer = call(connection, "/v3/kv/txn", {"success": puts})
        first = first or int(answer["header"]["revision"])
    return first


def post(path, body):
    text = json.dumps(body)
    return f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(text)}\r\n\r\n{text}".encode()


def attacks(old):
    """By name: how many connections, what each sends, whether it reads."""
    by_value = EVERYTHING | {"sort_target": "VALUE", "sort_order": "DESCEND"}
    txn = {"success": [{"requestRange": EVERYTHING}] * 4}
    return {
        "12 sorted ranges, pipelined": (1, post("/v3/kv/range", by_value) * 12, True),
        "64 ranges that nobody reads": (64, post("/v3/kv/range", EVERYTHING), False),
        "the first by value": (8, post("/v3/kv/range", by_value | {"limit": 1}) * 50, True),
        "an old revision": (8, post("/v3/kv/range", EVERYTHING | {"revision": old}) * 5, True),
        "a transaction of four ranges": (4, post("/v3/kv/txn", txn) * 3, True),
        "everything in JSON": (4, post("/v3/kv/range", EVERYTHING) * 10, True),
        "events from the state on": (8, b"GET /v3/watch?prefix=k&initial=true HTTP/1.1\r\nhost: localhost\r\n\r\n", True),
    }


def attack(address, connections, request, reads):
    host, port = address.rsplit(":", 1)
    sockets = [socket.create_connection((host, int(port))) for _ in range(connections)]
    for one in sockets:
        one.sendall(request)
    if not reads:
        time.sleep(SECONDS * 2)

    def drain(one):
        while one.recv(1 << 20):
            pass

    for one in sockets:
        threading.Thread(target=drain, args=(one,), daemon=True).start()
    time.sleep(SECONDS * 2)


def bystander(address, number, until, waits):
    connection = http.client.HTTPConnection(address)
    key = b64(f"bystander{number}")
    while time.monotonic() < until:
        for path, body in (("/v3/kv/put", {"key": key, "value": key}), ("/v3/kv/range", {"key": key})):
            begun = time.monotonic()
            call(connection, path, body)
            waits.append(time.monotonic() - begun)
        time.sleep(0.002)


def watch(address):
    until, waits = time.monotonic() + SECONDS, []
    bystanders = [threading.Thread(target=bystander, args=(address, n, until, waits)) for n in range(8)]
    for one in bystanders:
        one.start()
    for one in bystanders:
        one.join()
    return sorted(waits)


def main():
    address, *wanted = sys.argv[1:]
    old = fill(address)
    known = {"nothing": None} | attacks(old)
    for name, how in known.items():
        if wanted and name not in wanted:
            continue
        attacker = multiprocessing.Process(target=attack, args=(address, *how)) if how else None
        if attacker:
            attacker.start()
        waits = watch(address)
        if attacker:
            attacker.kill()
            attacker.join()
        print(f"{name:32} {len(waits):6} answers, half within {waits[len(waits) // 2] * 1e3:6.1f} ms, "
              f"99 % {waits[len(waits) * 99 // 100] * 1e3:6.1f} ms, the last {waits[-1] * 1e3:7.1f} ms", flush=True)
        time.sleep(2)


if __name__ == "__main__":
    main()
