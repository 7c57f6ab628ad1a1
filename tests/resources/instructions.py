#!/usr/bin/env python3
"""Instructions that the server needs for a request, beside those of other builds: a figure that no other process changes.

    python3 tests/resources/instructions.py
    python3 tests/resources/instructions.py --keyport target/release/keyport ../old/target/release/keyport --workloads put,range

The server runs under valgrind's callgrind, some fifty times slower, and is loaded by loadgen; told is what the process executed in a
run less what it did in a short one, for each request more. The system's own share is not in it, nor what caches make of it. Needs
valgrind, target/release/loadgen, and a server with symbols for those who want to read more with callgrind_annotate (--keep).
"""

import argparse
import ctypes
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "backups"))
from measure import ROOT, Server, answered  # noqa: E402  (the path comes first)

WORKLOADS = "put,range,txn,lease-keepalive,json-put,json-range,rest-put,rest-get"


def hide_the_kernels_auxv():
    """Has prctl(PR_GET_AUXV) fail in this process. It tells of pages that are not there under valgrind before 3.22; who cannot ask
    reads the file that valgrind has mended."""
    load, equal, give = 0x20, 0x15, 0x06  # BPF: a word of the call, a comparison, an outcome
    number, argument = 0, 16
    prctl, get_auxv = 157, 0x41555856
    steps = [
        (load, 0, 0, number),
        (equal, 0, 3, prctl),
        (load, 0, 0, argument),
        (equal, 0, 1, get_auxv),
        (give, 0, 0, 0x00050000 | 22),  # EINVAL
        (give, 0, 0, 0x7FFF0000),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS, without which there are no filters
    if libc.prctl(22, 2, program):  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        raise OSError(ctypes.get_errno(), "seccomp")


def executed(server, out):
    """Since it was asked last."""
    before = set(out.parent.glob(f"{out.name}.*"))
    subprocess.run(["callgrind_control", "-d", str(server.process.pid)], check=True, capture_output=True)
    for _ in range(600):
        for file in set(out.parent.glob(f"{out.name}.*")) - before:
            if told := re.search(r"^totals: (\d+)", file.read_text(), re.M):
                return int(told[1])
        time.sleep(0.1)
    raise SystemExit("callgrind wrote nothing")


def measure(options, binary, workload, folder):
    out = folder / "callgrind"
    under = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", binary]
    with Server("keyport", under, folder, enter=hide_the_kernels_auxv) as server:

        def load(seconds):
            return answered(options, server, workload, 64, seconds, "--keyspace", "1000")

        load(1)
        executed(server, out)
        few, for_few = load(1), executed(server, out)
        many, for_many = load(options.seconds), executed(server, out)
    return (for_many - for_few) / (many - few)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keyport", nargs="+", default=[ROOT / "target/release/keyport"], help="a build, or several")
    parser.add_argument("--workloads", default=WORKLOADS)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--dir", help="where the data goes; a temporary folder if not given")
    parser.add_argument("--keep", action="store_true", help="what callgrind wrote")
    parser.add_argument("--loadgen", default=ROOT / "target/release/loadgen")
    options = parser.parse_args()
    for workload in options.workloads.split(","):
        figures = []
        for binary in options.keyport:
            folder = pathlib.Path(tempfile.mkdtemp(prefix="keyport-instructions-", dir=options.dir))
            figures.append(measure(options, binary, workload, folder))
            if options.keep:
                print(folder)
            else:
                shutil.rmtree(folder)
        ratios = "".join(f", {figures[0] / other:.2f}x of {other:,.0f}" for other in figures[1:])
        print(f"{workload}: {figures[0]:,.0f}{ratios}", flush=True)


if __name__ == "__main__":
    main()
