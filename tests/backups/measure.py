#!/usr/bin/env python3
"""Backups beside writes.

    python3 tests/backups/measure.py beside                 # Keyport and etcd: time and CPU of a backup, and what writers notice
    python3 tests/backups/measure.py slow-reader            # 3 GiB, and somebody who hardly reads: memory, and what writers notice

Both start servers of their own with fresh data in --dir, on a disk with room for four times the data, and fill them with
target/release/loadgen. `beside` gives each server the same keys and saves with the same program, etcdctl; then once more with
`keyport snapshot save`. The CPU is the server's own while nobody writes. Ratios of one run mean something; absolute figures say
more about the machine.
"""

import argparse
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
PORTS = {"keyport": 23790, "etcd": 23890}


class Server:
    """Serves when it is made, if it is alone; `enter` is called in its process before it is run. A member of a cluster, whose
    others are named by `cluster` as by etcd's flag, serves when enough of them are there (`wait`)."""

    def __init__(self, name, binary, folder, enter=None, port=None, cluster=None):
        self.name, port = name, port or PORTS[name]
        self.address = f"127.0.0.1:{port}"
        peer = f"http://127.0.0.1:{port + 1}"
        self.log = open(folder / f"{name}.log", "w")
        self.process = subprocess.Popen(
            [
                *(binary if isinstance(binary, list) else [binary]),
                f"--name={name}",
                f"--data-dir={folder / name}",
                f"--listen-client-urls=http://{self.address}",
                f"--advertise-client-urls=http://{self.address}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster={cluster or f'{name}={peer}'}",
                f"--quota-backend-bytes={32 << 30}",
                "--log-level=warn",
            ],
            stdout=self.log,
            stderr=self.log,
            preexec_fn=enter,
        )
        if not cluster:
            self.wait()

    def wait(self):
        for _ in range(600):
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} has ended: {self.process.returncode}")
            try:
                connection = http.client.HTTPConnection(self.address, timeout=5)
                connection.request("GET", "/health")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise SystemExit(f"{self.name} does not serve")

    def post(self, path, body):
        connection = http.client.HTTPConnection(self.address, timeout=600)
        connection.request("POST", path, json.dumps(body))
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{self.name}: {path}: {answer.status} {text[:300]}")
        return json.loads(text)

    def cpu(self):
        """Seconds that it has worked."""
        return worked(pathlib.Path(f"/proc/{self.process.pid}"))

    def threads(self):
        """The same by the name of a thread, as far as its threads live."""
        threads = {}
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            name = (task / "comm").read_text().strip()
            threads[name] = threads.get(name, 0) + worked(task)
        return threads

    def memory(self, field="VmRSS"):
        """MiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+)", status)[1]) // 1024

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def worked(place):
    """Seconds, of a process or of a thread."""
    fields = (place / "stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def loadgen(options, server, *args):
    command = [options.loadgen, "run", "--endpoints", server.address, "--pid", str(server.process.pid), *args]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def answered(options, server, workload, clients, seconds, *args):
    """How many requests of a workload were, in one round."""
    much = ["--rounds", "1", "--warmup", "0", "--retries", "0", "--clients", str(clients), "--seconds", str(seconds)]
    return json.loads(loadgen(options, server, "--json", "--workloads", workload, *much, *args))["rounds"][0]["ops"]


def fill(options, server):
    size = ["--keys", str(options.keys), "--value-size", str(options.value_size)]
    loadgen(options, server, "--workloads", "load", "--clients", "64", "--rounds", "1", *size)


def puts(options, server, seconds):
    """Rate, and p99 in ms, of eight writers."""
    out = loadgen(
        options, server, "--workloads", "put", "--clients", "8", "--rounds", "1", "--warmup", "0", "--seconds", str(seconds)
    )
    return rates(out, "put")


def rates(out, workload):
    """Of what loadgen says: how many a second, and how long they took."""
    tables = [[cell.strip() for cell in line.strip("| ").split("|")] for line in out.splitlines() if line.startswith("|")]
    heads, row = tables[0], next(row for row in tables if row[0] == workload)
    figures = dict(zip(heads, row))
    return ", ".join(f"{name} {figures[name]}" for name in heads if name.startswith(("ops", "p50", "p99")))


def save(options, server, folder, program):
    """Seconds, and the server's CPU."""
    file = folder / "backup.db"
    command = {
        "etcdctl": [options.etcdctl, "--endpoints", server.address, "snapshot", "save", file],
        "keyport": [options.keyport, "snapshot", "save", file, "--endpoints", server.address],
    }[program]
    begun, cpu = time.monotonic(), server.cpu()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "ETCDCTL_API": "3"})
    took, cpu = time.monotonic() - begun, server.cpu() - cpu
    size = file.stat().st_size
    file.unlink()
    return took, cpu, size


def beside(options, folder):
    for name, binary in [("keyport", options.keyport), ("etcd", options.etcd)]:
        with Server(name, binary, folder) as server:
            saved_beside(options, folder, server)
        shutil.rmtree(folder / name)


def settle():
    """What a fill leaves to be written back is not to be measured. etcd has nothing that says when it is done."""
    time.sleep(2)


def saved_beside(options, folder, server):
    name = server.name
    fill(options, server)
    settle()
    for program in options.programs.split(","):
        runs = sorted(save(options, server, folder, program) for _ in range(options.rounds))
        took, cpu, size = runs[len(runs) // 2]
        print(f"{name}: {program} saves {size >> 20} MiB in {took:.2f} s, {cpu:.2f} s of the server's CPU")
    print(f"{name}: writers alone: {puts(options, server, options.seconds)}")
    stop, times = threading.Event(), []

    def again():
        while not stop.is_set():
            times.append(save(options, server, folder, "etcdctl")[0])

    saver = threading.Thread(target=again)
    saver.start()
    print(f"{name}: writers beside backups: {puts(options, server, options.seconds)}")
    stop.set()
    saver.join()
    times.sort()
    print(f"{name}: {len(times)} backups beside writers, {times[len(times) // 2]:.2f} s each")


def slow_reader(options, folder):
    with Server("keyport", options.keyport, folder) as server:
        fill(options, server)
        settle()
        before = puts(options, server, options.seconds)
        server.forget_peak()
        print(f"before: {server.memory()} MiB; writers: {before}")
        connection = http.client.HTTPConnection(server.address)
        connection.request("GET", "/v3/snapshot")
        answer, read, stop = connection.getresponse(), [0], threading.Event()

        def slowly():
            while not stop.is_set():
                read[0] += len(answer.read(64 << 10))
                time.sleep(0.1)

        reader = threading.Thread(target=slowly)
        reader.start()
        during = puts(options, server, options.seconds)
        of = int(answer.headers["content-length"]) >> 20
        most = f"{server.memory()} MiB, {server.memory('VmHWM')} MiB at most"
        print(f"while one reads {read[0] >> 10} KiB of {of} MiB: {most}; writers: {during}")
        stop.set()
        reader.join()
        connection.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["beside", "slow-reader"])
    parser.add_argument("--keys", type=int)
    parser.add_argument("--value-size", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--programs", default="etcdctl,keyport", help="what saves while nobody writes")
    parser.add_argument("--dir", help="where the data goes; a temporary folder if not given")
    parser.add_argument("--keyport", default=ROOT / "target/release/keyport")
    parser.add_argument("--loadgen", default=ROOT / "target/release/loadgen")
    parser.add_argument("--etcd", default=os.environ.get("ETCD_BIN", ROOT / "target/tools/etcd/etcd"))
    parser.add_argument("--etcdctl", default=ROOT / "target/tools/etcd/etcdctl")
    options = parser.parse_args()
    is_large = options.what == "slow-reader"
    options.keys = options.keys or (3_000_000 if is_large else 1_000_000)
    options.value_size = options.value_size or (1024 if is_large else 256)
    with tempfile.TemporaryDirectory(prefix="keyport-backups-", dir=options.dir) as folder:
        (slow_reader if is_large else beside)(options, pathlib.Path(folder))


if __name__ == "__main__":
    main()
