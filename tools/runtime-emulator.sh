#!/bin/sh
# Fetches Lambda's own runtime interface emulator to $1: a program inside the
# wheel of the AWS SAM CLI, of which nothing else is needed. Does nothing when
# that version is there.
set -eu
target=$1
version=1.170.0
python=.tools/venv/bin/python

if [ -x "$target" ] && [ "$(cat "$target.version" 2>/dev/null)" = "$version" ]; then
    exit 0
fi
case $(uname -m) in
x86_64) machine=x86_64 ;;
aarch64 | arm64) machine=arm64 ;;
*)
    echo "no runtime interface emulator is made for $(uname -m)" >&2
    exit 1
    ;;
esac
echo "fetching the runtime interface emulator of aws-sam-cli $version"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --dest "$folder" "aws-sam-cli==$version"
"$python" -m zipfile -e "$folder"/aws_sam_cli-*.whl "$folder/wheel"
mkdir -p "$(dirname "$target")"
cp "$folder/wheel/samcli/local/rapid/aws-lambda-rie-$machine" "$target.new"
chmod +x "$target.new"
mv "$target.new" "$target"
echo "$version" >"$target.version"
