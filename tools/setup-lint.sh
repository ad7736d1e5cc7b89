#!/bin/sh
# Installs cargo-deny, pinned, below .tools for the lint target. Nothing is done
# when that version is there.
set -eu
cd "$(dirname "$0")/.."

version=0.20.2
if [ "$(.tools/bin/cargo-deny --version 2>/dev/null)" = "cargo-deny $version" ]; then
    exit 0
fi
echo "installing cargo-deny $version (takes some minutes, once)"
# Unoptimised: it reads a few hundred manifests, and building it is what takes time.
cargo install --debug --locked --quiet --root .tools cargo-deny --version "$version"
