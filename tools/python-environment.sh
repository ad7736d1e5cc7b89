#!/bin/sh
# Makes or updates the Python environment $1 from the pinned requirements $2.
# Does nothing when it was last made from the same file.
set -eu
environment=$1
requirements=$2

if [ -x "$environment/bin/python" ] && cmp -s "$requirements" "$environment/requirements.installed"; then
    exit 0
fi
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "$environment needs Python 3.11 or newer; python3 is $(python3 --version)" >&2
    exit 1
fi
echo "installing the Python packages of $requirements"
python3 -m venv --clear "$environment"
"$environment/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
cp "$requirements" "$environment/requirements.installed"
