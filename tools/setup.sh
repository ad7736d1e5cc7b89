#!/bin/sh
# Installs what minilab needs to be built and tested, and nothing that is there
# already: a second run does nothing and takes no time.
#
#   tools/setup.sh build    compiler-side programs: a C compiler, cmake, nasm
#   tools/setup.sh package  the same and Python, which starts the function once
#   tools/setup.sh guard    the same and valgrind, which counts instructions
#   tools/setup.sh bench    the same and ImageMagick, a peer of the benchmark
#   tools/setup.sh test     the first, then the S3 clients, a browser, a NATS
#                           server and the Python and Node packages of tests/
#                           (the default)
#
# Programs come from Debian packages and need root; otherwise the command to
# type is printed. Everything else goes below .tools, tests/clients/node,
# tests/reference/node, tests/iam/node and tests/console.
set -eu
cd "$(dirname "$0")/.."

scope=${1:-test}
case $scope in
build | package | guard | bench | test) ;;
*)
    echo "tools/setup.sh: unknown scope \"$scope\": use build, package, guard, bench or test" >&2
    exit 2
    ;;
esac

if ! command -v cargo >/dev/null; then
    echo "tools/setup.sh: cargo is missing: install Rust 1.95 or newer with rustup" >&2
    exit 1
fi

# program=package; nasm is not optional: without it the JPEG code is built
# without SIMD and runs at half its speed, silently.
needed="cc=gcc cmake=cmake nasm=nasm make=make"
if [ "$scope" = test ]; then
    needed="$needed python3=python3-venv node=nodejs npm=npm rclone=rclone chromium=chromium"
fi
case $scope in
package) needed="$needed python3=python3" ;;
guard) needed="$needed valgrind=valgrind" ;;
# Not `convert`: other programs have that name too.
bench) command -v magick >/dev/null || needed="$needed convert-im6.q16=imagemagick" ;;
esac
missing=
for pair in $needed; do
    command -v "${pair%%=*}" >/dev/null || missing="$missing ${pair#*=}"
done
# Debian's python3 comes without the part that makes environments.
if [ "$scope" = test ] && command -v python3 >/dev/null && ! python3 -c 'import ensurepip' 2>/dev/null; then
    missing="$missing python3-venv"
fi

if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null; then
        echo "tools/setup.sh: missing:$missing (Debian's names): install them, then run this again" >&2
        exit 1
    fi
    if [ "$(id -u)" != 0 ]; then
        echo "tools/setup.sh: programs are missing and only root can install them: sudo apt-get install$missing" >&2
        exit 1
    fi
    echo "installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    # The package lists of a fresh container are empty or old: only then fetch them.
    # shellcheck disable=SC2086 # a list of words
    if ! apt-get install -y --no-install-recommends $missing >"$log" 2>&1; then
        if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
            tail -n 20 "$log" >&2
            rm -f "$log"
            echo "tools/setup.sh: could not install$missing" >&2
            exit 1
        fi
    fi
    rm -f "$log"
fi

[ "$scope" = test ] || exit 0

tools/python-environment.sh .tools/venv tests/requirements.txt
tools/runtime-emulator.sh .tools/rie/aws-lambda-rie
tools/nats-server.sh .tools/nats/nats-server
tools/node-packages.sh tests/clients/node
tools/node-packages.sh tests/reference/node
tools/node-packages.sh tests/iam/node
tools/node-packages.sh tests/console
