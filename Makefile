# What a person types. Each target does its own set-up.

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
MINILAB := $(TARGET)/release/minilab
PYTEST := .tools/venv/bin/python -m pytest -q

.PHONY: demo test build setup lint audit rust-test python-test deploy-test deploy-check package guard bench soak fuzz clean

# The main job on the bundled photographs, through the whole small cloud.
demo: build
	$(MINILAB) demo --out demo-out

# Every test: Rust, then the real binary against Pillow and real S3 clients.
test: setup rust-test python-test deploy-test

build:
	tools/setup.sh build
	$(CARGO) build --locked --release -p minilab

setup:
	tools/setup.sh test

rust-test:
	$(CARGO) test --locked --workspace
	$(CARGO) test --locked -p minilab-imaging --no-default-features --test formats

# One process for each suite: their modules share names (conftest, test_hostile).
python-test: build
	$(CARGO) build --locked --workspace --examples
	for suite in reference clients conformance iam runtime worker load console; do \
	  $(PYTEST) tests/$$suite --minilab $(MINILAB) || exit 1; \
	done

# What `minilab template` prints, under other people's checkers and deployed to
# an AWS that is not AWS.
deploy-test: build
	$(CARGO) build --locked --release -p minilab -p minilab-lambda --bin bootstrap
	tools/python-environment.sh .tools/deploy-venv tests/deploy/requirements.txt
	.tools/deploy-venv/bin/python -m pytest -q tests/deploy --minilab $(MINILAB)

# The examples under the two checkers that take minutes to install, and the
# package under cargo lambda.
deploy-check: package
	tools/deploy-check.sh

# What CI asks on top of the tests.
lint:
	tools/setup.sh build
	tools/setup-lint.sh
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked -p minilab-pixels -p minilab-imaging --no-default-features -- -D warnings
	.tools/bin/cargo-deny --locked check bans licenses sources
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps

# Known vulnerabilities of dependencies: asks the RustSec database, so it needs the network.
audit:
	tools/setup-lint.sh
	.tools/bin/cargo-deny --locked check advisories

# dist/bootstrap.zip for Lambda's provided.al2023, started here as it would be there.
# FEATURES=otel: with traces. FORMATS="avif heic": of avif, heic, jxl and svg only
# those, for a smaller zip. Naming both packages gives the dependencies the
# features they have in `build`, so that they are compiled once.
package:
	tools/setup.sh package
ifeq ($(origin FORMATS),undefined)
	$(CARGO) build --locked --release -p minilab -p minilab-lambda --bin minilab --bin bootstrap \
	  $(if $(FEATURES),--features minilab-lambda/$(FEATURES))
else
	$(CARGO) build --locked --release -p minilab
	$(CARGO) build --locked --release -p minilab-lambda --bin bootstrap --no-default-features \
	  --features "$(FORMATS) $(FEATURES)"
endif
	$(MINILAB) package --bootstrap $(TARGET)/release/bootstrap --out dist/bootstrap.zip
	python3 tools/start.py dist/bootstrap.zip

# Instructions of a fixed set of jobs against bench/instructions.json; a change
# over 3 % fails. MINILAB_BLESS=1 records them anew.
guard:
	tools/setup.sh guard
	$(CARGO) build --locked --release -p minilab -p minilab-imaging --example bench_job
	python3 bench/guard.py $(TARGET)/release/examples/bench_job

# Side by side with sharp, Pillow and others; writes docs/benchmarks.md.
bench: build
	$(CARGO) build --locked --release -p minilab -p minilab-lambda --bin bootstrap
	$(CARGO) build --locked --release -p minilab -p minilab-imaging --example bench_job
	bench/setup.sh
	.tools/bench-venv/bin/python bench/run.py --target $(TARGET)/release

# Minutes each, so not part of `test`: 100,000 schedules of the protocol, ten thousand sources through a backfill, fifty
# thousand events of which a fifth fail, two hundred kills, a start with a hundred thousand objects, ten thousand uploads
# from 64 clients, eighty thousand damaged pictures.
soak: setup build
	$(CARGO) test --locked --release -p minilab-handler --test handler -- --ignored --nocapture soak
	$(CARGO) test --locked --release -p minilab --test buckets -- --ignored --nocapture ten_thousand
	$(CARGO) test --locked --release -p minilab-local --test lambda_environments -- --ignored fifty --nocapture
	$(CARGO) test --locked --release -p minilab-local --test cloud_kill -- --ignored two_hundred --nocapture
	$(CARGO) test --locked --release -p minilab-local --test damaged_data -- --ignored --nocapture
	.tools/venv/bin/python tests/load/uploads.py --minilab $(MINILAB) --uploads 10000 --clients 64
	$(CARGO) test --locked --release -p minilab-imaging --test pictures -- --ignored very_much

# A while of each fuzz target; needs a nightly toolchain and cargo-fuzz, or, with
# FUZZ="RUSTC_BOOTSTRAP=1 cargo fuzz", the stable one. Leaks are not looked for where there are AVIFs: re_rav1d 0.1.3
# loses 48 bytes with each picture (an empty list that dav1d_picture_unref puts in the place of the one it drops).
FUZZ_SECONDS ?= 60
FUZZ ?= $(CARGO) +nightly fuzz
fuzz:
	for target in event recipe policy s3_xml; do \
	  $(FUZZ) run $$target -- -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 || exit 1; \
	done
	for area in jpeg png webp gif avif heic jxl tiff bmp ico qoi svg animation orientation colour; do \
	  mkdir -p fuzz/corpus/decode-$$area fuzz/seeds/$$area; \
	  for case in tests/golden/$$area/*/; do cp $$case/input.* fuzz/seeds/$$area/$$(basename $$case); done; \
	  case $$area in avif | orientation | colour) leaks=0 ;; *) leaks=1 ;; esac; ASAN_OPTIONS=detect_leaks=$$leaks \
	  $(FUZZ) run decode fuzz/corpus/decode-$$area fuzz/seeds/$$area -- \
	    -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 -timeout=10 -max_len=65536 || exit 1; \
	done

clean:
	$(CARGO) clean
	rm -rf demo-out dist
