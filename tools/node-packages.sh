#!/bin/sh
# Installs the Node packages of the folder $1 exactly as its lock file says.
# Does nothing when they were last installed from the same lock file.
set -eu
cd "$1"

if cmp -s package-lock.json node_modules/.installed-from; then
    exit 0
fi
# What sharp asks for; npm only warns, and the tests would fail later.
if ! node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 9) ? 0 : 1)'; then
    echo "$1 needs Node 20.9 or newer; node is $(node --version): install Debian 13's nodejs and npm, or Node's own release" >&2
    exit 1
fi
echo "installing the Node packages of $1"
npm ci --no-audit --no-fund --loglevel=error
cp package-lock.json node_modules/.installed-from
