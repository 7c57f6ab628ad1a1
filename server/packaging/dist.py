#!/usr/bin/env python3
"""Puts together what is handed out, from a binary that was built: a tarball, a Debian package, and the names and lines of code
that a profile or a core dump needs, in a file of their own.

    dist.py BINARY DIRECTORY     packages, and their digests
    dist.py --image BINARY DIRECTORY     the folder that the Containerfile is built from

The version is the workspace's, from Cargo.toml. The same binary and commit give the same bytes.
"""

import gzip
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def run(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def version():
    return tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]


def epoch():
    """When the sources were committed: the time of every file."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    if told is None:
        told = run("git", "-C", ROOT, "log", "-1", "--format=%ct")
    return int(told)


def place(source, target, mode=0o644):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def write(target, data, mode=0o644):
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    target.chmod(mode)


def split(binary, stripped, symbols):
    """The binary without what only a debugger needs, and that; they find each other by the build id."""
    run("objcopy", "--only-keep-debug", "--compress-debug-sections", binary, symbols)
    run("strip", "--strip-all", "-o", stripped, binary)
    run("objcopy", f"--add-gnu-debuglink={symbols}", stripped)
    stripped.chmod(0o755)
    notes = run("readelf", "-n", stripped)
    return re.search(r"Build ID: ([0-9a-f]+)", notes)[1]


def pages(binary, directory):
    """Man pages by name."""
    run(binary, "man", "--directory", directory)
    return sorted(directory.iterdir())


def completion(binary, shell):
    return run(binary, "completions", shell).encode()


def pack(folder, target, date):
    """A tarball of the folder: sorted, root's, at one time."""
    def plain(entry):
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime = date
        return entry

    with open(target, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=date) as packed:
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for path in [folder, *sorted(folder.rglob("*"))]:
                tar.add(path, path.relative_to(folder.parent), recursive=False, filter=plain)


def tarball(work, binary, name, out, date):
    folder = work / name
    place(binary, folder / "bin/keyport", 0o755)
    for file in ["LICENSE", "README.md", "CHANGELOG.md"]:
        place(ROOT / file, folder / file)
    for page in pages(binary, mkdir(work / "man-tar")):
        place(page, folder / "share/man/man1" / page.name)
    for shell in ["bash", "zsh", "fish"]:
        write(folder / "share/completions" / f"keyport.{shell}", completion(binary, shell))
    for file in ["keyport.service", "keyport.socket", "keyport.sysusers", "keyport.default"]:
        place(HERE / file, folder / "share/systemd" / file)
    pack(folder, out, date)


def libraries(binary):
    """What it is linked with, as Debian's packages, with the newest version of glibc whose symbols it uses."""
    needed = set(re.findall(r"\(NEEDED\).*\[(.*?)\]", run("readelf", "-d", binary)))
    used = re.findall(r"GLIBC_(\d+(?:\.\d+)+)", run("objdump", "-T", binary))
    # No symbol needs what reads dense relocations.
    if "GLIBC_ABI_DT_RELR" in run("readelf", "--version-info", binary):
        used.append("2.36")
    newest = max(used, key=lambda text: tuple(map(int, text.split("."))))
    depends = [f"libc6 (>= {newest})"]
    known = {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
    if "libgcc_s.so.1" in needed:
        depends.append("libgcc-s1")
    unknown = needed - known - {"libgcc_s.so.1"}
    if unknown:
        sys.exit(f"linked with what no package is known for: {sorted(unknown)}")
    return ", ".join(depends)


def debian(work, binary, out, date):
    root = mkdir(work / "deb")
    place(binary, root / "usr/bin/keyport", 0o755)
    place(HERE / "keyport.service", root / "lib/systemd/system/keyport.service")
    place(HERE / "keyport.socket", root / "lib/systemd/system/keyport.socket")
    place(HERE / "keyport.sysusers", root / "usr/lib/sysusers.d/keyport.conf")
    place(HERE / "keyport.default", root / "etc/default/keyport")
    doc = root / "usr/share/doc/keyport"
    place(ROOT / "LICENSE", doc / "copyright")
    place(ROOT / "README.md", doc / "README.md")
    write(doc / "changelog.gz", gzip.compress((ROOT / "CHANGELOG.md").read_bytes(), 9, mtime=date))
    for page in pages(binary, mkdir(work / "man-deb")):
        write(root / "usr/share/man/man1" / f"{page.name}.gz", gzip.compress(page.read_bytes(), 9, mtime=date))
    write(root / "usr/share/bash-completion/completions/keyport", completion(binary, "bash"))
    write(root / "usr/share/zsh/vendor-completions/_keyport", completion(binary, "zsh"))
    write(root / "usr/share/fish/vendor_completions.d/keyport.fish", completion(binary, "fish"))
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    for script in ["postinst", "prerm", "postrm"]:
        place(HERE / "debian" / script, root / "DEBIAN" / script, 0o755)
    write(root / "DEBIAN/conffiles", b"/etc/default/keyport\n")
    control = (HERE / "debian/control").read_text().format(
        version=version(),
        architecture=run("dpkg", "--print-architecture").strip(),
        size=size // 1024 + 1,
        depends=libraries(binary),
    )
    write(root / "DEBIAN/control", control.encode())
    for path in [root, *root.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
        os.utime(path, (date, date))
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", str(root), str(out)],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(date)},
    )


def mkdir(path):
    path.mkdir(parents=True)
    return path


def packages(binary, out):
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    date, machine = epoch(), os.uname().machine
    name = f"keyport-{version()}-{machine}-linux"
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(temporary)
        stripped, symbols = work / "keyport", work / "keyport.debug"
        build_id = split(binary, stripped, symbols)
        tarball(work, stripped, name, out / f"{name}.tar.gz", date)
        if shutil.which("dpkg-deb"):
            architecture = run("dpkg", "--print-architecture").strip()
            debian(work, stripped, out / f"keyport_{version()}_{architecture}.deb", date)
        else:
            print("skipped: there is no dpkg-deb here, so no Debian package is made")
        debug = work / f"{name}-debug"
        place(symbols, debug / "usr/lib/debug/.build-id" / build_id[:2] / f"{build_id[2:]}.debug")
        pack(debug, out / f"{name}-debug.tar.gz", date)
    made = sorted(out.iterdir())
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in made]
    (out / "SHA256SUMS").write_text("".join(sums))
    for file in made:
        print(f"{file.stat().st_size / 1e6:6.1f} MB  {file}")


def image(binary, out):
    shutil.rmtree(out, ignore_errors=True)
    mkdir(out / "state")
    place(HERE / "Containerfile", out / "Containerfile")
    run("strip", "--strip-all", "-o", out / "keyport", binary)
    (out / "keyport").chmod(0o755)
    print(f"{(out / 'keyport').stat().st_size / 1e6:6.1f} MB  {out / 'keyport'}")


if __name__ == "__main__":
    make = packages
    if sys.argv[1:2] == ["--image"]:
        make = image
        del sys.argv[1]
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    make(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve())
