#!/usr/bin/env python3
"""The alert rules and the dashboard of etcd's own mixin, over what three members of Keyport tell Prometheus.

    python3 tests/mixin/check.py                # `make mixin` builds what it needs and runs it

The rules come out of etcd's module (nothing of them is kept here) and are checked by promtool: that they can be read; that
every series they and the dashboard select is there; that nothing fires over a cluster that is well, and that over one that has
lost two members those fire that should. The series are scrapes of real members, a second apart, which are given to promtool as if a
minute lay between them. Last, promtool's opinion of names and texts: no other complaint than
it has about a real etcd.
"""

import argparse
import http.client
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "target/tools/mixin"
# The newest that is published as a module.
MIXIN = "go.etcd.io/etcd/v3@v3.6.8"
MIXIN_SUM = "h1:zfUsRJ8ql/F1LrQ04o1wSjKzGpD/gKz6SKkvaoFaZEA="
HEALTHY, OUTAGE = 4, 40  # minutes
SHOULD_FIRE = ["etcdInsufficientMembers", "etcdMembersDown", "etcdNoLeader"]


class Member:
    def __init__(self, binary, folder, number, count, base=24790):
        urls = [f"http://127.0.0.1:{base + 10 * n + 1}" for n in range(count)]
        self.name, self.address = f"m{number}", f"127.0.0.1:{base + 10 * number}"
        flags = [
            f"--name={self.name}",
            f"--data-dir={folder / self.name}",
            f"--listen-client-urls=http://{self.address}",
            f"--advertise-client-urls=http://{self.address}",
            f"--listen-peer-urls={urls[number]}",
            f"--initial-advertise-peer-urls={urls[number]}",
            "--initial-cluster=" + ",".join(f"m{n}={url}" for n, url in enumerate(urls)),
            "--metrics=extensive",
            "--log-level=warn",
        ]
        self.log = folder / f"{self.name}.log"
        out = open(self.log, "w")
        self.process = subprocess.Popen([binary, *flags], stdout=out, stderr=out)

    def ask(self, path, body=None, timeout=10):
        connection = http.client.HTTPConnection(self.address, timeout=timeout)
        body = json.dumps(body) if body is not None else None
        connection.request("POST" if body else "GET", path, body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def wait(self):
        for _ in range(600):
            try:
                if self.ask("/health")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        sys.exit(f"{self.name} does not serve: {self.log.read_text()[-500:]}")

    def scrape(self):
        return self.ask("/metrics")[1]

    def kill(self):
        self.process.kill()
        self.process.wait()


def run(*command, cwd=None, given=None, fine=(0,)):
    done = subprocess.run([str(part) for part in command], cwd=cwd, input=given, text=True, capture_output=True)
    if done.returncode not in fine:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout + done.stderr


def mixin(folder):
    """The alert rules as a file, and every expression of rules and dashboard."""
    module = json.loads(run("go", "mod", "download", "-json", MIXIN, cwd=folder))
    if module["Sum"] != MIXIN_SUM:
        sys.exit(f"{MIXIN} is another one: {module['Sum']}")
    source = pathlib.Path(module["Dir"]) / "contrib/mixin"

    def evaluate(what):
        old = "(import 'config.libsonnet') + { _config+:: { grafana7x: true } }"
        text = f"({old} + (import 'alerts/alerts.libsonnet') + (import 'dashboards/etcd-grafana7x.libsonnet')).{what}"
        return json.loads(run(TOOLS / "jsonnet", "-J", source, "-e", text))

    rules, dashboards = evaluate("prometheusAlerts"), evaluate("grafanaDashboards")
    (folder / "manifests").mkdir()
    (folder / "manifests/etcd-prometheusRules.yaml").write_text(json.dumps(rules))
    expressions = []

    def collect(value):
        if isinstance(value, dict):
            expressions.extend(value[name] for name in ("expr",) if isinstance(value.get(name), str))
            value = list(value.values())
        for part in value if isinstance(value, list) else []:
            collect(part)

    collect(rules)
    alerts = len(expressions)
    collect(dashboards)
    print(f"{alerts} alert rules and {len(expressions) - alerts} panels of {MIXIN}")
    return expressions


def selectors(expressions):
    found = set()
    for expression in expressions:
        expression = expression.replace("$cluster", "etcd")
        for name, labels in re.findall(r"([a-zA-Z_:][\w:]*)\s*(\{[^}]*\})", expression):
            found.add(name + labels)
        for name in re.findall(r"\b((?:etcd|process)_\w+)\b(?!\s*[{=!\w])", re.sub(r"\{[^}]*\}", "{", expression)):
            found.add(name)
    return sorted(found)


def keep_busy(members, stop):
    def work(member, number):
        turn = 0
        while not stop.is_set():
            try:
                key = f"a{number}{turn % 9}k="
                member.ask("/v3/kv/put", {"key": key, "value": "dmFsdWU="})
                member.ask("/v3/kv/range", {"key": key})
                member.ask("/v3/kv/put", {})  # no key
                member.ask("/v3/lease/keepalive", {"ID": 7})
                turn += 1
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)

    def watch(member):
        connection = http.client.HTTPConnection(member.address)
        connection.request("POST", "/v3/watch", json.dumps({"create_request": {"key": "AA==", "range_end": "AA=="}}))
        try:
            connection.getresponse().readline()
            stop.wait()
        except (OSError, http.client.HTTPException):
            pass

    for number, member in enumerate(members):
        threading.Thread(target=work, args=(member, number), daemon=True).start()
        threading.Thread(target=watch, args=(member,), daemon=True).start()


def samples(text, instance):
    found = {}
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        series, value = line.rsplit(" ", 1)
        name, labels = re.fullmatch(r"([^{]+)(?:\{(.*)\})?", series).groups()
        labels = ",".join(filter(None, [(labels or "").rstrip(","), f'job="etcd",instance="{instance}"']))
        if value not in ("NaN", "+Inf", "-Inf"):
            found[f"{name}{{{labels}}}"] = float(value)
    return found


def series(minutes, last_for):
    """What each series was at each minute; the last one goes on for long."""
    names = sorted({name for minute in minutes for name in minute})
    lines = []
    for name in names:
        values = [f"{minute[name]:.9f}" if name in minute else "_" for minute in minutes]
        values[-1] += f"x{last_for}"
        lines.append({"series": name, "values": " ".join(values)})
    return lines


def test_file(folder, name, minutes, last_for, expected):
    """`expected`: expressions with what they are at the end."""
    at = f"{len(minutes) + last_for - 1}m"
    cases = [{"expr": expr, "eval_time": at, "exp_samples": wanted} for expr, wanted in expected]
    test = {
        "rule_files": ["manifests/etcd-prometheusRules.yaml"],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series(minutes, last_for), "promql_expr_test": cases}],
    }
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(test))
    return path


def ups(members, alive):
    return {f'up{{job="etcd",instance="{member.name}"}}': float(member in alive) for member in members}


def minute(members, alive):
    found = ups(members, alive)
    for member in alive:
        found.update(samples(member.scrape(), member.name))
    return found


def story(members):
    """Minutes of a cluster that is well, and of what is left of it."""
    stop = threading.Event()
    members[0].ask("/v3/lease/grant", {"ID": 7, "TTL": 1000})
    keep_busy(members, stop)
    well = []
    for _ in range(HEALTHY):
        time.sleep(1)
        well.append(minute(members, members))
    status = json.loads(members[0].ask("/v3/maintenance/status", {})[1])
    ids = [json.loads(member.ask("/v3/maintenance/status", {})[1])["header"]["member_id"] for member in members]
    leader = ids.index(status["leader"])
    left = members[(leader + 1) % 3]
    for member in members:
        if member is not left:
            member.kill()
    lost = []
    for _ in range(600):
        if re.search(r"^etcd_server_has_leader 0$", left.scrape(), re.M):
            break
        time.sleep(0.1)
    else:
        sys.exit("it does not notice that there is no leader")
    # What nobody decides is given up after seven seconds.
    try:
        left.ask("/v3/kv/put", {"key": "a2V5"}, timeout=30)
    except OSError:
        pass
    for _ in range(HEALTHY):
        time.sleep(1)
        lost.append(minute(members, [left]))
    stop.set()
    return well, well + lost


def lint(scrape):
    found = run(TOOLS / "promtool", "check", "metrics", given=scrape, fine=(0, 3))
    return {line for line in found.splitlines() if line.strip()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keyport", default=ROOT / "target/release/keyport")
    parser.add_argument("--etcd", default=ROOT / "target/tools/new-etcd/etcd")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="keyport-mixin-") as folder:
        folder = pathlib.Path(folder)
        expressions = mixin(folder)
        promtool = TOOLS / "promtool"
        run(promtool, "check", "rules", folder / "manifests/etcd-prometheusRules.yaml")
        members = [Member(options.keyport, folder, number, 3) for number in range(3)]
        try:
            for member in members:
                member.wait()
            first = members[0].scrape()
            well, lost = story(members)
        finally:
            for member in members:
                member.kill()

        firing = 'count by (alertname) (ALERTS{alertstate="firing"})'
        run(promtool, "test", "rules", test_file(folder, "well", well, OUTAGE, [(firing, [])]))
        wanted = selectors(expressions)
        there = [(f"count(last_over_time({selector}[2h])) > bool 0", [{"labels": "{}", "value": 1}]) for selector in wanted]
        fire = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in SHOULD_FIRE]
        run(promtool, "test", "rules", test_file(folder, "lost", lost, OUTAGE, [*there, (firing, fire)]))
        print(f"{len(wanted)} selectors, each with series; over a cluster that is well nothing fires,")
        print(f"and without a majority: {', '.join(SHOULD_FIRE)}")

        (folder / "etcd").mkdir()
        etcd = Member(options.etcd, folder / "etcd", 0, 1, base=24890)
        try:
            etcd.wait()
            theirs = lint(etcd.scrape())
        finally:
            etcd.kill()
        ours = lint(first)
        if ours - theirs:
            sys.exit("complaints that there are not about etcd:\n" + "\n".join(sorted(ours - theirs)))
        print(f"promtool's opinion of the names: {len(ours)} complaints, all of which it has about etcd, too ({len(theirs)})")


if __name__ == "__main__":
    main()
