#!/bin/sh
# Installs the Node packages of the folder $1 exactly as its lock file says.
# Does nothing when they were last installed from the same lock file.
set -eu
cd "$1"

if cmp -s package-lock.json node_modules/.installed-from; then
    exit 0
fi
echo "installing the Node packages of $1"
npm ci --no-audit --no-fund --loglevel=error
cp package-lock.json node_modules/.installed-from
