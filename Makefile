# What a person types. Each target does its own set-up.

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
MINILAB := $(TARGET)/release/minilab
PYTEST := .tools/venv/bin/python -m pytest -q
# Tests have the dependencies of the program and checks of their own: tools/checked.toml.
CHECKED := --locked --release --config tools/checked.toml
# Suites that run at once: most of them wait more than they work.
JOBS ?= 3

.PHONY: help demo test build setup programs tests suites check lint audit rust-test deploy-check package guard bench soak fuzz clean

## help: this list
help:
	@sed -n 's/^## \([a-z-]*\): \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | awk -F'\t' '{ printf "make %-14s%s\n", $$1, $$2 }'

## demo: the main job on the bundled photographs, through the whole small cloud
demo: build
	$(MINILAB) demo --out demo-out

## test: every test, Rust and Python, browsers and S3 clients; installs what it needs
# Packages are fetched while the compiler works, and the suites run side by side.
test:
	tools/setup.sh build
	tools/together.py "setup=$(MAKE) setup" \
	  "build=$(MAKE) programs tests"
	$(MAKE) suites

## build: the program, target/release/minilab
build:
	tools/setup.sh build
	$(CARGO) build --locked --release -p minilab

## setup: what the tests need
setup:
	tools/setup.sh test
	tools/python-environment.sh .tools/deploy-venv tests/deploy/requirements.txt

# What the suites and the guard run, of one set of dependencies: the same packages are named each time, because cargo
# builds a dependency again where another choice of packages gives it other features.
programs:
	$(CARGO) build --locked --release --workspace --bins --examples

tests:
	$(CARGO) test $(CHECKED) --workspace --no-run
	$(CARGO) test $(CHECKED) --workspace --no-default-features --test formats --no-run

# The slowest first. Each Python suite is a process of its own: their modules share names (conftest, test_hostile).
suites:
	tools/together.py --jobs $(JOBS) \
	  "worker=$(PYTEST) tests/worker --minilab $(MINILAB)" \
	  "rust=$(CARGO) test $(CHECKED) --workspace --no-fail-fast" \
	  "clients=$(PYTEST) tests/clients --minilab $(MINILAB)" \
	  "reference=$(PYTEST) tests/reference --minilab $(MINILAB)" \
	  "console=$(PYTEST) tests/console --minilab $(MINILAB)" \
	  "deploy=.tools/deploy-venv/bin/python -m pytest -q tests/deploy --minilab $(MINILAB)" \
	  "conformance=$(PYTEST) tests/conformance --minilab $(MINILAB)" \
	  "runtime=$(PYTEST) tests/runtime --minilab $(MINILAB)" \
	  "load=$(PYTEST) tests/load --minilab $(MINILAB)" \
	  "iam=$(PYTEST) tests/iam --minilab $(MINILAB)" \
	  "lean=$(CARGO) test $(CHECKED) --workspace --no-default-features --test formats"

## rust-test: the Rust tests alone
rust-test:
	tools/setup.sh build
	$(CARGO) test $(CHECKED) --workspace

## check: format, clippy, unit tests and rendered pages of what changed; before each commit
check:
	tools/setup.sh build
	tools/check.py

## lint: format, clippy, bans, licences and sources of dependencies, documentation
lint:
	tools/setup.sh build
	tools/setup-lint.sh
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(CHECKED) --workspace --all-targets -- -D warnings
	$(CARGO) clippy $(CHECKED) -p minilab-pixels -p minilab-imaging --no-default-features -- -D warnings
	.tools/bin/cargo-deny --locked check bans licenses sources
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(CHECKED) --workspace --no-deps

## audit: known vulnerabilities of dependencies; asks the RustSec database, so it needs the network
audit:
	tools/setup-lint.sh
	.tools/bin/cargo-deny --locked check advisories

## package: dist/bootstrap.zip for Lambda's provided.al2023, started here as it would be there
# Built as what ships, with the profile dist. FEATURES=otel: with traces. FORMATS="avif heic": of avif, heic, jxl and svg
# only those, for a smaller zip. The program that zips is the one that `make build` leaves.
package: build
	tools/setup.sh package
ifeq ($(origin FORMATS),undefined)
	$(CARGO) build --locked --profile dist -p minilab-lambda --bin bootstrap \
	  $(if $(FEATURES),--features minilab-lambda/$(FEATURES))
else
	$(CARGO) build --locked --profile dist -p minilab-lambda --bin bootstrap --no-default-features \
	  --features "$(FORMATS) $(FEATURES)"
endif
	$(MINILAB) package --bootstrap $(TARGET)/dist/bootstrap --out dist/bootstrap.zip
	python3 tools/start.py dist/bootstrap.zip

## guard: instructions of a fixed set of jobs against bench/instructions.json
# A change over 3 % fails. MINILAB_BLESS=1 records them anew.
guard:
	tools/setup.sh guard
	$(MAKE) programs
	python3 bench/guard.py $(TARGET)/release/examples/bench_job

## bench: side by side with sharp, Pillow and others; writes docs/benchmarks.md
bench:
	tools/setup.sh build
	$(CARGO) build --locked --profile dist --workspace --bins --examples
	$(CARGO) build --locked --profile dist -p minilab-lambda --bin bootstrap
	bench/setup.sh
	.tools/bench-venv/bin/python bench/run.py --target $(TARGET)/dist

## soak: what takes too long for `make test`
# Minutes each, so not part of `test`: 100,000 schedules of the protocol, ten thousand sources through a backfill, fifty
# thousand events of which a fifth fail, two hundred kills, a start with a hundred thousand objects, ten thousand uploads
# from 64 clients, eighty thousand damaged pictures.
soak: setup build
	$(CARGO) test --locked --profile dist -p minilab-handler --test handler -- --ignored --nocapture soak
	$(CARGO) test --locked --profile dist -p minilab --test buckets -- --ignored --nocapture ten_thousand
	$(CARGO) test --locked --profile dist -p minilab-local --test lambda_environments -- --ignored fifty --nocapture
	$(CARGO) test --locked --profile dist -p minilab-local --test cloud_kill -- --ignored two_hundred --nocapture
	$(CARGO) test --locked --profile dist -p minilab-local --test damaged_data -- --ignored --nocapture
	.tools/venv/bin/python tests/load/uploads.py --minilab $(MINILAB) --uploads 10000 --clients 64
	$(CARGO) test --locked --profile dist -p minilab-imaging --test pictures -- --ignored very_much

## fuzz: a minute of each fuzz target (FUZZ_SECONDS=60)
# A while of each; needs a nightly toolchain and cargo-fuzz, or, with
# FUZZ="RUSTC_BOOTSTRAP=1 cargo fuzz", the stable one. Leaks are not looked for where there are AVIFs: re_rav1d 0.1.3
# loses 48 bytes with each picture (an empty list that dav1d_picture_unref puts in the place of the one it drops).
FUZZ_SECONDS ?= 60
FUZZ ?= $(CARGO) +nightly fuzz
fuzz:
	for target in event recipe policy s3_chunks s3_xml; do \
	  $(FUZZ) run $$target -- -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 || exit 1; \
	done
	for area in jpeg png webp gif avif heic jxl tiff bmp ico qoi svg animation orientation colour; do \
	  mkdir -p fuzz/corpus/decode-$$area fuzz/seeds/$$area; \
	  for case in tests/golden/$$area/*/; do cp $$case/input.* fuzz/seeds/$$area/$$(basename $$case); done; \
	  case $$area in avif | orientation | colour) leaks=0 ;; *) leaks=1 ;; esac; ASAN_OPTIONS=detect_leaks=$$leaks \
	  $(FUZZ) run decode fuzz/corpus/decode-$$area fuzz/seeds/$$area -- \
	    -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 -timeout=10 -max_len=65536 || exit 1; \
	done

## clean: remove what was built
clean:
	$(CARGO) clean
	rm -rf demo-out dist
