"""The part of `cargo deny` that needs no tool: every dependency's license and source is one that deny.toml allows."""

import json
import re
import subprocess
import sys
import tomllib

with open("deny.toml", "rb") as file:
    allowed = set(tomllib.load(file)["licenses"]["allow"])

metadata = json.loads(
    subprocess.run(
        ["cargo", "metadata", "--format-version=1", "--locked"], check=True, stdout=subprocess.PIPE
    ).stdout
)


def permitted(expression: str) -> bool:
    """Whether an SPDX expression can be met with the allowed licenses."""
    expression = expression.replace("/", " OR ")
    words = re.findall(r"\(|\)|[^\s()]+", expression)
    python = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word == "WITH":  # the exception that follows only adds permissions
            skip = True
        elif word in ("AND", "OR", "(", ")"):
            python.append(word.lower())
        else:
            python.append(str(word in allowed))
    return eval(" ".join(python))  # only True, False, and, or and parentheses


problems = []
for package in metadata["packages"]:
    name = f"{package['name']} {package['version']}"
    source = package["source"]
    if source is None:
        continue  # ours
    if not source.startswith("registry+"):
        problems.append(f"{name}: from {source}, not from the registry")
    if not package["license"]:
        problems.append(f"{name}: no license")
    elif not permitted(package["license"]):
        problems.append(f"{name}: {package['license']} is not allowed")

print("\n".join(problems) or f"licenses and sources of {len(metadata['packages'])} packages are fine")
sys.exit(1 if problems else 0)
