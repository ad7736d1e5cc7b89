#!/bin/sh
# The examples under deploy/ under `sam validate --lint` and checkov, and the
# package under `cargo lambda`: these take minutes to install, and
# so are not part of `make test`.
set -eu
cd "$(dirname "$0")/.."

environment=.tools/deploy-check
for package in aws-sam-cli==1.170.0 checkov==3.3.30 cargo-lambda==1.9.2; do
    name=${package%%==*}
    # Each in an environment of its own: they ask for versions that exclude each other.
    if [ "$("$environment/$name/bin/python" -m pip freeze 2>/dev/null | grep "^$name==")" != "$package" ]; then
        echo "installing $package"
        python3 -m venv --clear "$environment/$name"
        "$environment/$name/bin/python" -m pip install --quiet --disable-pip-version-check "$package"
    fi
done

for template in deploy/*.yaml; do
    SAM_CLI_TELEMETRY=0 "$environment/aws-sam-cli/bin/sam" validate --lint --region us-east-1 --template-file "$template"
done
"$environment/checkov/bin/checkov" --quiet --compact --skip-download --config-file tests/deploy/checkov.yaml --directory deploy

# Needs what `make package` has built. The tool never gets --arm64 or --target: it would fetch compilers.
tools/python-environment.sh .tools/deploy-venv tests/deploy/requirements.txt
.tools/deploy-venv/bin/python -m pytest -q tests/deploy/cargo_lambda.py \
    --minilab "${CARGO_TARGET_DIR:-target}/release/minilab" --cargo-lambda "$environment/cargo-lambda/bin/cargo-lambda"
