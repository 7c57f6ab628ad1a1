#!/usr/bin/env python3
"""Kubernetes' API server on three members whose leader is killed: how long nothing can be written through it.

    python3 tests/kubernetes/gap.py                         # Keyport (release), then etcd
    python3 tests/kubernetes/gap.py --only keyport --rounds 5

`make kubernetes` builds what it needs and runs it. Four threads create ConfigMaps through the API server without a pause, and the
leader of the cluster below is killed (SIGKILL) in the midst of it. The gap is the longest time from one acknowledged write to the next one around
that moment, over all threads. Then everything that was acknowledged has to be there, by the API server's own list.
"""

import argparse
import http.client
import json
import pathlib
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKEN = "a-token-for-this-run"
WRITERS = 4
AROUND = 10.0  # seconds before and after the kill
PATIENCE = 300.0


class Member:
    def __init__(self, binary, folder, number, base):
        self.client, self.peer = f"127.0.0.1:{base + 10 * number}", f"127.0.0.1:{base + 10 * number + 1}"
        self.name = f"m{number}"
        cluster = ",".join(f"m{n}=http://127.0.0.1:{base + 10 * n + 1}" for n in range(3))
        flags = [
            f"--name={self.name}",
            f"--data-dir={folder / self.name}",
            f"--listen-client-urls=http://{self.client}",
            f"--advertise-client-urls=http://{self.client}",
            f"--listen-peer-urls=http://{self.peer}",
            f"--initial-advertise-peer-urls=http://{self.peer}",
            f"--initial-cluster={cluster}",
            "--log-level=warn",
        ]
        log = open(folder / f"{self.name}.log", "w")
        self.process = subprocess.Popen([binary, *flags], stdout=log, stderr=log)

    def ask(self, path, body=None):
        connection = http.client.HTTPConnection(self.client, timeout=5)
        connection.request("POST" if body is not None else "GET", path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def leads(self):
        status, body = self.ask("/v3/maintenance/status", "{}")
        told = json.loads(body)
        return status == 200 and told["leader"] == told["header"]["member_id"]


class ApiServer:
    def __init__(self, binary, folder, members, port):
        key = folder / "service-accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        (folder / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n")
        self.port, self.log = port, folder / "kube-apiserver.log"
        flags = [
            "--etcd-servers=" + ",".join(f"http://{member.client}" for member in members),
            f"--cert-dir={folder / 'certificates'}",
            f"--secure-port={port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=192.0.2.1",  # nobody calls it there
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--authorization-mode=AlwaysAllow",
            f"--token-auth-file={folder / 'tokens.csv'}",
        ]
        out = open(self.log, "w")
        self.process = subprocess.Popen([binary, *flags], stdout=out, stderr=out)

    def is_ready(self):
        if self.process.poll() is not None:
            sys.exit(f"the API server has ended: {self.log.read_text().splitlines()[-1:]}")
        return self.ask("GET", "/readyz")[0] == 200

    def connect(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=60)

    def ask(self, method, path, body=None, connection=None):
        connection = connection or self.connect()
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def until(what, holds):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            found = holds()
            if found:
                return found
        except (OSError, http.client.HTTPException, KeyError, ValueError):
            pass
        time.sleep(0.1)
    sys.exit(f"{what}: not within {PATIENCE:.0f} s")


def write(api, thread, round_number, acknowledged, over):
    connection, number = None, 0
    while not over.is_set():
        name = f"r{round_number}-t{thread}-{number}"
        number += 1
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}}
        try:
            connection = connection or api.connect()
            status, _ = api.ask("POST", "/api/v1/namespaces/default/configmaps", body, connection)
            if status == 201:
                acknowledged.append((time.monotonic(), name))
        except (OSError, http.client.HTTPException):
            connection = None


def gap(members, api, round_number):
    """Seconds without a write, and what was acknowledged."""
    over, lists = threading.Event(), [[] for _ in range(WRITERS)]
    threads = [threading.Thread(target=write, args=(api, n, round_number, lists[n], over)) for n in range(WRITERS)]
    for thread in threads:
        thread.start()
    time.sleep(AROUND)
    leader = until("a leader", lambda: next((m for m in members if m.process.poll() is None and m.leads()), None))
    leader.process.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    leader.process.wait()
    time.sleep(AROUND)
    over.set()
    for thread in threads:
        thread.join()
    acknowledged = sorted(entry for some in lists for entry in some)
    times = [at for at, _ in acknowledged]
    if not times or times[-1] < killed:
        sys.exit(f"nothing was written after the leader was killed, in {AROUND:.0f} s")
    gaps = [(after - before, before) for before, after in zip(times, times[1:]) if after > killed]
    return max(gaps)[0], [name for _, name in acknowledged], len(times) / (2 * AROUND)


def names(api):
    status, body = api.ask("GET", "/api/v1/namespaces/default/configmaps")
    if status != 200:
        raise ValueError(status)
    return {item["metadata"]["name"] for item in json.loads(body)["items"]}


def run(subject, binary, api_binary, base, rounds):
    gaps = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            members = [Member(binary, folder, n, base) for n in range(3)]
            processes = [member.process for member in members]
            try:
                until("three members", lambda: all(member.ask("/health")[0] == 200 for member in members))
                api = ApiServer(api_binary, folder, members, base + 100)
                processes.append(api.process)
                until(f"{subject}: the API server is ready", lambda: api.is_ready())
                until("the namespace", lambda: api.ask("GET", "/api/v1/namespaces/default")[0] == 200)
                seconds, acknowledged, rate = gap(members, api, number)
                missing = set(acknowledged) - until("a list", lambda: names(api))
                if missing:
                    sys.exit(f"{subject}: {len(missing)} acknowledged writes are missing, such as {min(missing)}")
            finally:
                for process in processes:
                    process.kill()
                    process.wait()
        print(f"{subject}: {seconds * 1000:.0f} ms without a write; {rate:.0f} writes/s; {len(acknowledged)} acknowledged, all there", flush=True)
        gaps.append(seconds)
    return sorted(gaps)[len(gaps) // 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keyport", default=ROOT / "target/release/keyport")
    parser.add_argument("--etcd", default=ROOT / "target/tools/new-etcd/etcd")
    parser.add_argument("--api-server", default=ROOT / "target/tools/kubernetes/kube-apiserver")
    parser.add_argument("--only", choices=["keyport", "etcd"])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    subjects = [("keyport", options.keyport, 23000), ("etcd", options.etcd, 24000)]
    medians = {}
    for subject, binary, base in subjects:
        if options.only in (None, subject):
            medians[subject] = run(subject, binary, options.api_server, base, options.rounds)
    for subject, median in medians.items():
        print(f"{subject}: median {median * 1000:.0f} ms")
    if len(medians) == 2:
        print(f"keyport / etcd: {medians['keyport'] / medians['etcd']:.2f}")


if __name__ == "__main__":
    main()
