#!/usr/bin/env python3
"""What a request costs each member of a cluster: the constants of docs/scaling.md.

    python3 tests/resources/members.py                  # clusters of one, three and five members
    python3 tests/resources/members.py --nodes 3 --seconds 10 --clients 256

Each cluster is started with fresh data in --dir and loaded at its leader. Told are processor time of the leader, of those of its
threads of which there is one, and of a follower for each request, how many of them share a sync of the leader's log, and bytes that
the leader sends to all followers. Members and load generator share one machine: what a request costs means something, how many there
were a second says how well they share.
Needs target/release/{keyport,loadgen}.
"""

import argparse
import http.client
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "backups"))
from measure import ROOT, Server, answered  # noqa: E402  (the path comes first)

FIRST_PORT = 23990
WORKLOADS = ["put", "txn", "range", "range-serializable", "json-put", "json-range", "lease-keepalive"]
SYNCS = "etcd_disk_wal_fsync_duration_seconds_count"
SENT = "etcd_network_peer_sent_bytes_total"
MOST_A_SYNC = 1000
# There is one of each, whatever the number of cores.
THREADS = ["raft", "apply"]


def members(options, folder, count):
    ports = [FIRST_PORT + 2 * number for number in range(count)]
    cluster = ",".join(f"n{number}=http://127.0.0.1:{port + 1}" for number, port in enumerate(ports))
    started = [
        Server(f"n{number}", options.keyport, folder, port=port, cluster=cluster) for number, port in enumerate(ports)
    ]
    for member in started:
        member.wait()
    return started


def total(member, name):
    """Of all series of a metric."""
    connection = http.client.HTTPConnection(member.address, timeout=60)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)


def measure(options, started, workload):
    statuses = [member.post("/v3/maintenance/status", {}) for member in started]
    leads = [status["header"]["member_id"] == status["leader"] for status in statuses].index(True)
    leader = started[leads]

    def state():
        threads = leader.threads()
        alone = [threads.get(name, 0) for name in THREADS]
        return [member.cpu() for member in started], total(leader, SYNCS), total(leader, SENT), alone

    before = state()
    ops = answered(options, leader, workload, options.clients, options.seconds)
    after = state()
    cpu = [(now - then) / ops * 1e6 for then, now in zip(before[0], after[0])]
    others = cpu[:leads] + cpu[leads + 1 :]
    syncs, sent = after[1] - before[1], (after[2] - before[2]) / ops
    return [
        f"{ops / options.seconds:,.0f}",
        f"{cpu[leads]:.1f}",
        *(f"{(now - then) / ops * 1e6:.1f}" for then, now in zip(before[3], after[3])),
        f"{sum(others) / len(others):.1f}" if others else "",
        # What asks for none shares those of the duties.
        f"{ops / syncs:.1f}" if syncs * MOST_A_SYNC > ops else "",
        f"{sent:.0f}" if others else "",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", default="1,3,5")
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--dir", help="where the data goes; a temporary folder if not given")
    parser.add_argument("--keyport", default=ROOT / "target/release/keyport")
    parser.add_argument("--loadgen", default=ROOT / "target/release/loadgen")
    options = parser.parse_args()
    threads = " | ".join(f"{name} thread, µs" for name in THREADS)
    print(f"| members | workload | a second | leader, µs | {threads} | follower, µs | requests a sync | bytes to followers |")
    print("|---" * (7 + len(THREADS)) + "|")
    for count in map(int, options.nodes.split(",")):
        with tempfile.TemporaryDirectory(prefix="keyport-members-", dir=options.dir) as folder:
            started = members(options, pathlib.Path(folder), count)
            try:
                for workload in options.workloads.split(","):
                    print(f"| {count} | {workload} |", " | ".join(measure(options, started, workload)), "|", flush=True)
            finally:
                for member in started:
                    member.process.terminate()
                for member in started:
                    member.process.wait()


if __name__ == "__main__":
    main()
