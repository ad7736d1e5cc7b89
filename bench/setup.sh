#!/bin/sh
# Installs the peers of the benchmark below .tools/bench-venv and bench/node.
# Does nothing when they are there.
set -eu
cd "$(dirname "$0")/.."
tools/setup.sh bench
for program in python3 node npm; do
    if ! command -v $program >/dev/null; then
        echo "bench/setup.sh: $program is missing: run tools/setup.sh test first" >&2
        exit 1
    fi
done
tools/python-environment.sh .tools/bench-venv bench/requirements.txt
tools/node-packages.sh bench/node
