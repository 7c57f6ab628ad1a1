#!/usr/bin/env python3
"""More data than memory: Keyport and etcd in a control group with the same limit.

    sudo make scale                                                        # 3 GiB of values of 10 KiB, 1 GiB of memory
    sudo python3 tests/resources/memory.py --data 8192 --limit 1024        # MiB of each

Each server is started in a group of its own, filled, read (a hot tenth of the data), compacted, backed up, killed and started
again, all within the limit. What the kernel counts in the group is told: memory that no file stands for, and whether anything was
killed. It writes fresh data in --dir, on a disk with room for four times the data, and needs the right to make control groups, and
target/release/{keyport,loadgen}. Ratios of one run mean something; absolute figures say more about the machine.
"""

import argparse
import os
import pathlib
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "backups"))
from measure import ROOT, Server, loadgen, rates, save, settle  # noqa: E402  (the path comes first)

MIB = 1 << 20
VALUE = 10 * 1024


class Group:
    """A control group with so much memory, of either version."""

    def __init__(self, name, limit):
        root = pathlib.Path("/sys/fs/cgroup")
        self.is_second = (root / "cgroup.controllers").exists()
        self.path = (root if self.is_second else root / "memory") / name
        self.path.mkdir(exist_ok=True)
        (self.path / ("memory.max" if self.is_second else "memory.limit_in_bytes")).write_text(str(limit))

    def enter(self):
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def stat(self, file, name):
        lines = (self.path / file).read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.split()[0] == name)

    def anonymous(self):
        """MiB that no file stands for."""
        return self.stat("memory.stat", "anon" if self.is_second else "rss") // MIB

    def killed(self):
        return self.stat("memory.events" if self.is_second else "memory.oom_control", "oom_kill")

    def remove(self):
        self.path.rmdir()


def rate(options, server, workload, *args):
    out = loadgen(options, server, "--workloads", workload, "--rounds", "1", "--value-size", str(VALUE), *args)
    return rates(out, workload)


def measure(options, name, binary, folder):
    group = Group(f"keyport-scale-{name}", options.limit * MIB)
    keys = options.data * MIB // VALUE

    def tell(what):
        print(f"{name}: {what}; {group.anonymous()} MiB of its own, {group.killed()} killed", flush=True)

    with Server(name, binary, folder, enter=group.enter) as server:
        begun = time.monotonic()
        loadgen(options, server, "--workloads", "load", "--clients", str(options.fillers), "--rounds", "1", "--keys", str(keys), "--value-size", str(VALUE))
        tell(f"{keys} values of {VALUE >> 10} KiB written in {time.monotonic() - begun:.1f} s")
        settle()
        hot = ["--keyspace", str(keys // 10), "--seconds", str(options.seconds)]
        tell(f"reads of a hot tenth: {rate(options, server, 'range', *hot)}")
        tell(f"writes of it: {rate(options, server, 'put', *hot)}")
        revision = server.post("/v3/kv/range", {"key": "AA==", "range_end": "AA==", "count_only": True})["header"]["revision"]
        begun = time.monotonic()
        server.post("/v3/kv/compaction", {"revision": revision, "physical": True})
        tell(f"compacted in {time.monotonic() - begun:.1f} s")
        took, cpu, size = save(options, server, folder, "etcdctl")
        tell(f"a backup of {size // MIB} MiB in {took:.1f} s, {cpu:.1f} s of CPU")
        begun = time.monotonic()
        server.post("/v3/maintenance/defragment", {})
        tell(f"defragmented in {time.monotonic() - begun:.1f} s")
        server.process.kill()
        server.process.wait()
    begun = time.monotonic()
    with Server(name, binary, folder, enter=group.enter) as server:
        tell(f"killed, serves again after {time.monotonic() - begun:.1f} s")
        deleted = server.post("/v3/kv/deleterange", {"key": "AA==", "range_end": "AA=="})["deleted"]
        tell(f"{deleted} keys removed")
    group.remove()
    shutil.rmtree(folder / name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=int, default=3072, help="MiB of values")
    parser.add_argument("--limit", type=int, default=1024, help="MiB of memory")
    parser.add_argument("--fillers", type=int, default=8, help="clients that fill; 64 are more than etcd survives")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--only", choices=["keyport", "etcd"])
    parser.add_argument("--dir", help="where the data goes; a temporary folder if not given")
    parser.add_argument("--keyport", default=ROOT / "target/release/keyport")
    parser.add_argument("--loadgen", default=ROOT / "target/release/loadgen")
    parser.add_argument("--etcd", default=os.environ.get("ETCD_BIN", ROOT / "target/tools/new-etcd/etcd"))
    parser.add_argument("--etcdctl", default=ROOT / "target/tools/etcd/etcdctl")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="keyport-memory-", dir=options.dir) as folder:
        for name, binary in [("keyport", options.keyport), ("etcd", options.etcd)]:
            if options.only in (None, name):
                measure(options, name, binary, pathlib.Path(folder))


if __name__ == "__main__":
    main()
