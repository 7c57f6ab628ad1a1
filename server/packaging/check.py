#!/usr/bin/env python3
"""Looks at what dist.py has put together as those do who install it, and fails if something is not as it should be.

    check.py DIRECTORY           packages: unpacked, started, their pages and units read
    check.py --image DIRECTORY   an image's folder: its binary in an empty root, as the Containerfile says

What cannot be looked at here is said, in lines that begin with "skipped".
"""

import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request

from dist import run, version

PATIENCE = 60
# So that it is noticed when it grows. docs/performance.md ("Size") says what it is made of. The static one has a C library in it.
MOST_BYTES, MOST_STATIC_BYTES = 20_000_000, 21_000_000


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data, timeout=PATIENCE) as answer:
        return answer.read()


def serves(command, data, **options):
    """Starts a member, writes and reads over HTTP, and asks it to end, which it has to do with 0. Hands the pid to what looks."""
    client, peer = free_port(), free_port()
    looks = options.pop("looks", lambda pid: None)
    flags = [f"--listen-client-urls=http://127.0.0.1:{client}", f"--advertise-client-urls=http://127.0.0.1:{client}"]
    flags += [f"--{flag}-peer-urls=http://127.0.0.1:{peer}" for flag in ("listen", "initial-advertise")]
    flags += [f"--initial-cluster=default=http://127.0.0.1:{peer}"] + ([f"--data-dir={data}"] if data else [])
    with tempfile.TemporaryFile() as log:
        member = subprocess.Popen([*command, *flags], stdout=log, stderr=log, **options)
        try:
            until = time.monotonic() + PATIENCE
            while True:
                try:
                    ask(client, "/readyz")
                    break
                except (OSError, urllib.error.URLError):
                    if member.poll() is not None or time.monotonic() > until:
                        log.seek(0)
                        sys.exit(f"it does not serve ({member.poll()}):\n{log.read().decode()}")
                    time.sleep(0.05)
            ask(client, "/v3/kv/put", {"key": "Zm9v", "value": "YmFy"})
            found = json.loads(ask(client, "/v3/kv/range", {"key": "Zm9v"}))
            assert found["kvs"][0]["value"] == "YmFy", found
            looks(member.pid)
            member.send_signal(signal.SIGTERM)
            code = member.wait(PATIENCE)
            log.seek(0)
            assert code == 0, f"SIGTERM ends it with {code}:\n{log.read().decode()}"
        finally:
            member.kill()
            member.wait()


def is_small(binary, most=MOST_BYTES):
    size = binary.stat().st_size
    assert size < most, f"{binary} has {size / 1e6:.1f} MB, and may have {most / 1e6:.0f}"


def says_its_version(binary):
    said = re.search(r"^Keyport Version: (.*)$", run(binary, "--version"), re.M)[1]
    assert said == version(), f"{binary} says {said}, and Cargo.toml {version()}"


def digests(directory):
    for line in (directory / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((directory / name).read_bytes()).hexdigest() == digest, name


def units(directory, binary, work):
    """The units with the binary where it was unpacked: systemd looks whether there is one."""
    folder = work / "units"
    folder.mkdir()
    for name in ["keyport.service", "keyport.socket"]:
        text = (directory / name).read_text()
        (folder / name).write_text(text.replace("=/usr/bin/keyport\n", f"={binary}\n"))
    assert str(binary) in (folder / "keyport.service").read_text()
    if not shutil.which("systemd-analyze"):
        return print("skipped: there is no systemd-analyze here that would read the units")
    command = ["systemd-analyze", "verify", "--man=no", *sorted(folder.iterdir())]
    told = subprocess.run(command, capture_output=True, text=True)
    assert told.returncode == 0 and not told.stdout + told.stderr, told


def manual(directory):
    found = sorted(path.name for path in directory.iterdir())
    assert any(name.startswith("keyport.1") for name in found), found
    if not shutil.which("lexgrog"):
        return print("skipped: there is no lexgrog here that would read the pages")
    for page in directory.iterdir():
        name = page.name.removesuffix(".gz").removesuffix(".1")
        said = run("lexgrog", page)
        assert f'"{name} - ' in said, said


def completions(bash):
    run("bash", "-n", bash)
    said = run("bash", "-c", f". '{bash}' && complete -p keyport")
    assert "keyport" in said, said


def package(file, work):
    if not shutil.which("dpkg-deb"):
        return print("skipped: there is no dpkg-deb here that would unpack the package")
    root = work / "package"
    run("dpkg-deb", "--raw-extract", file, root)
    assert run("dpkg-deb", "--field", file, "Version").strip() == version()
    owners = {line.split()[1] for line in run("dpkg-deb", "--contents", file).splitlines()}
    assert owners == {"root/root"}, owners
    binary = root / "usr/bin/keyport"
    is_small(binary)
    says_its_version(binary)
    serves([binary], work / "data")
    units(root / "lib/systemd/system", binary, work)
    manual(root / "usr/share/man/man1")
    completions(root / "usr/share/bash-completion/completions/keyport")
    for script in ["postinst", "prerm", "postrm"]:
        run("sh", "-n", root / "DEBIAN" / script)
    user = (root / "usr/lib/sysusers.d/keyport.conf").read_text().split()[1]
    assert f"User={user}\n" in (root / "lib/systemd/system/keyport.service").read_text()
    for kept in (root / "DEBIAN/conffiles").read_text().split():
        assert (root / kept.lstrip("/")).is_file(), kept
    return binary


def tarball(file, work, packaged):
    with tarfile.open(file) as tar:
        tar.extractall(work / "tarball", filter="data")
    folder = work / "tarball" / file.name.removesuffix(".tar.gz")
    binary = folder / "bin/keyport"
    is_small(binary)
    says_its_version(binary)
    assert packaged is None or binary.read_bytes() == packaged.read_bytes(), "the package has another binary"
    for name in ["LICENSE", "README.md", "CHANGELOG.md", "share/completions/keyport.zsh", "share/systemd/keyport.socket"]:
        assert (folder / name).stat().st_size > 0, name
    manual(folder / "share/man/man1")
    return binary


def symbols(file, work, binary):
    """They are those of the binary: functions have names and lines."""
    with tarfile.open(file) as tar:
        tar.extractall(work / "symbols", filter="data")
    build_id = re.search(r"Build ID: ([0-9a-f]+)", run("readelf", "-n", binary))[1]
    [debug] = (work / "symbols").rglob(f".build-id/{build_id[:2]}/{build_id[2:]}.debug")
    assert re.search(r"\.debug_line", run("readelf", "-SW", debug))
    assert "keyport_server" in run("nm", "--demangle", debug)


def packages(directory):
    digests(directory)
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        packaged = None
        for deb in directory.glob("*.deb"):
            packaged = package(deb, work)
        [tar] = [file for file in directory.glob("*.tar.gz") if not file.name.endswith("-debug.tar.gz")]
        binary = tarball(tar, work, packaged)
        symbols(directory / f"{tar.name.removesuffix('.tar.gz')}-debug.tar.gz", work, binary)
    print(f"{directory}: as it should be")


def described(directory):
    """What the Containerfile says of a container: user, directory, program."""
    text = (directory / "Containerfile").read_text()
    word = lambda name: re.search(rf"^{name} (.*)$", text, re.M)[1]
    assert word("FROM") == "scratch"
    user, group = map(int, word("USER").split(":"))
    return user, group, word("WORKDIR"), json.loads(word("ENTRYPOINT"))


def devices(directory):
    """Those that every container has, whatever its image."""
    directory.mkdir()
    for name, minor in [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)]:
        os.mknod(directory / name, 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        (directory / name).chmod(0o666)


def image(directory):
    user, group, home, entry = described(directory)
    assert user != 0 and group != 0
    binary = directory / "keyport"
    is_small(binary, MOST_STATIC_BYTES)
    headers = run("readelf", "-lW", binary)
    assert "INTERP" not in headers, "the binary is not static: it names what loads it"
    if os.geteuid() != 0:
        return print("skipped: only root may start it in a root of its own")
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary) / "root"
        place = root / entry[0].lstrip("/")
        state = root / home.lstrip("/")
        place.parent.mkdir(parents=True)
        state.mkdir(parents=True)
        shutil.copy2(binary, place)
        devices(root / "dev")
        os.chown(state, user, group)
        pathlib.Path(temporary).chmod(0o755)

        def enter():
            os.chroot(root)
            os.chdir(home)
            os.setgroups([])
            os.setgid(group)
            os.setuid(user)

        def looks(pid):
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            ids = re.search(r"^Uid:\s+(.*)$", status, re.M)[1].split()
            assert ids == [str(user)] * 4, ids
            assert os.readlink(f"/proc/{pid}/root") == str(root)

        serves(entry, None, preexec_fn=enter, looks=looks, env={})
        made = state / "default.etcd/member/snap/db"
        assert (made.stat().st_uid, made.stat().st_gid) == (user, group)
        assert sorted(path.name for path in root.iterdir()) == sorted({place.relative_to(root).parts[0], "dev", "var"})
    print(f"{directory}: it serves in an empty root, as {user}:{group}")


if __name__ == "__main__":
    look = packages
    if sys.argv[1:2] == ["--image"]:
        look = image
        del sys.argv[1]
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    look(pathlib.Path(sys.argv[1]).resolve())
