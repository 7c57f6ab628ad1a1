#!/usr/bin/env python3
"""How what things cost grows with the number of keys: Keyport and etcd, filled with ten thousand to ten million keys.

    python3 tests/resources/growth.py                                  # 10,000 to 10,000,000 keys: minutes, and 12 GB of disk and memory
    python3 tests/resources/growth.py --sizes 10000,100000 --svg x.svg

Each size is one run of `loadgen compare --filled` on fresh servers. The figures are printed and drawn, one panel for each, both axes
logarithmic: what does not depend on the number of keys is a level line. Needs target/release/{keyport,loadgen}, and an etcd as
loadgen does (ETCD_BIN).
"""

import argparse
import json
import math
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Workload of loadgen, its field, what the panel says.
PANELS = [
    ("put", "ops_per_s", "puts a second"),
    ("range", "ops_per_s", "reads of one key a second"),
    ("list-1000", "ops_per_s", "lists of 1,000 keys a second"),
    ("watch-max", "ops_per_s", "events a second, 256 watchers"),
    ("restart", "value", "restart, ms"),
    ("rss", "value", "memory, MiB"),
]
COLOURS = {"subject": ("#1f6feb", "Keyport"), "peer": ("#d1591b", "etcd")}
COLUMNS = 3
WIDTH, HEIGHT, LEFT, TOP = 300, 200, 58, 34


def measure(options, size):
    """The medians of one size: {(workload, side): {field: figure}}."""
    command = [options.loadgen, "compare", "--subject", options.keyport, "--filled", "--json", "--keys", str(size)]
    command += ["--workloads", "load,rss,restart,list-1000,put,range,watch-max", "--clients", "64", "--watchers", "256"]
    command += ["--value-size", "64", "--rounds", str(options.rounds), "--seconds", str(options.seconds)]
    if options.dir:
        command += ["--workdir", options.dir]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return {(row["workload"], row["side"]): row for row in json.loads(done.stdout)["medians"]}


def short(figure):
    """Two digits, and the thousands as a letter."""
    for bound, letter in ((1e6, "M"), (1e3, "k")):
        if figure >= bound:
            return f"{figure / bound:.2g}{letter}" if figure < 10 * bound else f"{figure / bound:.0f}{letter}"
    return f"{figure:.2g}" if figure < 10 else f"{figure:.0f}"


def panel(sizes, figures, workload, field, title, x, y):
    """One panel with its axes and both curves, its upper left corner at (x, y)."""
    series = {side: [figures[size][workload, side][field] for size in sizes] for side in COLOURS}
    everything = [figure for line in series.values() for figure in line]
    low, high = math.floor(math.log10(min(everything))), math.ceil(math.log10(max(everything)))
    high = max(high, low + 1)
    right, bottom = x + WIDTH - 14, y + HEIGHT - 26
    left, top = x + LEFT, y + TOP

    def across(at):
        return left + (right - left) * at / max(len(sizes) - 1, 1)

    def up(figure):
        return bottom - (bottom - top) * (math.log10(figure) - low) / (high - low)

    parts = [f'<text x="{x + 10}" y="{y + 20}" class="title">{title}</text>']
    for power in range(low, high + 1):
        height = up(10.0**power)
        parts.append(f'<line x1="{left}" x2="{right}" y1="{height:.1f}" y2="{height:.1f}" class="grid"/>')
        parts.append(f'<text x="{left - 6}" y="{height + 4:.1f}" class="end">{short(10.0**power)}</text>')
    for at, size in enumerate(sizes):
        parts.append(f'<text x="{across(at):.1f}" y="{bottom + 16}" class="middle">{short(size)}</text>')
    for side, line in series.items():
        colour = COLOURS[side][0]
        points = " ".join(f"{across(at):.1f},{up(figure):.1f}" for at, figure in enumerate(line))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [
            f'<circle cx="{across(at):.1f}" cy="{up(figure):.1f}" r="3" fill="{colour}"><title>{short(figure)}</title></circle>'
            for at, figure in enumerate(line)
        ]
    return parts


def draw(sizes, figures):
    rows = -(-len(PANELS) // COLUMNS)
    width, height = COLUMNS * WIDTH, rows * HEIGHT + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        "<style>.title{font-size:12px;font-weight:600}.end{text-anchor:end}.middle{text-anchor:middle}"
        ".grid{stroke:#8884;stroke-width:1}text{fill:#555}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for number, (workload, field, title) in enumerate(PANELS):
        parts += panel(sizes, figures, workload, field, title, number % COLUMNS * WIDTH, number // COLUMNS * HEIGHT)
    for at, (colour, name) in enumerate(COLOURS.values()):
        parts.append(f'<rect x="{10 + at * 90}" y="{height - 20}" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{26 + at * 90}" y="{height - 11}">{name}</text>')
    parts.append(f'<text x="{width - 10}" y="{height - 11}" class="end">keys, each with a value of 64 bytes</text>')
    return "\n".join([*parts, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="10000,100000,1000000,10000000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--dir", help="where servers keep their data")
    parser.add_argument("--svg", type=pathlib.Path, default=ROOT / "docs" / "growth.svg")
    parser.add_argument("--keyport", default=str(ROOT / "target/release/keyport"))
    parser.add_argument("--loadgen", default=str(ROOT / "target/release/loadgen"))
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    figures = {}
    for size in sizes:
        figures[size] = measure(options, size)
        for workload, field, title in PANELS:
            ours, theirs = (figures[size][workload, side][field] for side in COLOURS)
            print(f"{size:>9} keys: {title}: {short(ours)}, etcd {short(theirs)}, {ours / theirs:.2f}x", flush=True)
    options.svg.write_text(draw(sizes, figures))


if __name__ == "__main__":
    main()
