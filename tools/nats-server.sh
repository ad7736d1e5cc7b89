#!/bin/sh
# Puts Debian's nats-server at $1, without installing it: the package would
# start a service. Does nothing when one is there.
set -eu
target=$1

[ ! -x "$target" ] || exit 0
mkdir -p "$(dirname "$target")"
if command -v nats-server >/dev/null; then
    ln -sf "$(command -v nats-server)" "$target"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "tools/nats-server.sh: missing: nats-server: install it, then run this again" >&2
    exit 1
fi
echo "fetching Debian's nats-server"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# apt drops its rights, and must be able to write here.
chmod 755 "$folder"
fetch() { (cd "$folder" && apt-get download nats-server) >"$folder/log" 2>&1; }
# The package lists of a fresh container are empty or old: only then fetch them.
if ! fetch && ! { [ "$(id -u)" = 0 ] && apt-get update >/dev/null 2>&1 && fetch; }; then
    tail -n 20 "$folder/log" >&2
    echo "tools/nats-server.sh: could not fetch nats-server; sudo apt-get update, then run this again" >&2
    exit 1
fi
dpkg -x "$folder"/nats-server_*.deb "$folder/package"
cp "$folder/package/usr/sbin/nats-server" "$target.new" 2>/dev/null || cp "$folder/package/usr/bin/nats-server" "$target.new"
mv "$target.new" "$target"
