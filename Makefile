# Everything that is done to this repository is a target here; .ci/run calls the
# same ones. A machine needs Go, gcc (for the race detector), git and make. All
# else is fetched by the go command, at versions that are pinned below or in
# go.mod.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# golangci-lint is used where it is installed; .golangci.yml is written for v2.
GOLANGCI    ?= golangci-lint

VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null)
# The simulator, the model, and the tests that start the program as processes.
# Their own code is slow under the race detector or gains little from it. test/e2e
# mostly waits: it comes first, beside the others.
WHOLE       := ./test/sim ./test/model ./test/bench
SHORT       := ./test/sim ./test/model
TESTFLAGS   ?=
TESTTIMEOUT ?= 15m
FUZZTIME    ?= 30s
BENCH       ?= .
COUNT       ?= 6
BENCHTIME   ?= 1s

##@ Work

.PHONY: help
help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/rota, a static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/rota ./cmd/rota

.PHONY: golden
golden: ## write the golden files anew; look at the diff before committing it
	@for pkg in $$(grep -rl --include='*_test.go' 'flag.Bool("update"' . | xargs -n1 dirname | sort -u); do
	  $(GO) test "$$pkg" -update
	done

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf bin dist cover.out

##@ Checks

.PHONY: test
test: deps ## THE test command: everything; under the race detector what it can check
	units=$$($(GO) list ./... | grep -vE '/test/(sim|model|e2e|chaos|failpoints|bench)$$')
	CGO_ENABLED=1 $(GO) test -race -timeout $(TESTTIMEOUT) $(TESTFLAGS) $$units
	CGO_ENABLED=1 $(GO) test -race -short -timeout $(TESTTIMEOUT) $(TESTFLAGS) $(SHORT)
	$(GO) test -short -timeout $(TESTTIMEOUT) $(TESTFLAGS) ./test/failpoints
	$(GO) test -p 1 -timeout $(TESTTIMEOUT) $(TESTFLAGS) $(WHOLE)
	if ! command -v ip >/dev/null || [ "$$(id -u)" != 0 ]; then
	  echo "not root, or no ip (iproute2): the tests with networks of their own are left out"
	  export ROTA_NO_NETNS=1
	fi
	$(GO) test -short -timeout $(TESTTIMEOUT) $(TESTFLAGS) ./test/e2e
	$(GO) test -short -timeout $(TESTTIMEOUT) $(TESTFLAGS) ./test/chaos

.PHONY: e2e
e2e: deps ## the tests with real clusters at full length: minutes of load
	ROTA_LONG=1 $(GO) test -count=1 -timeout 60m $(TESTFLAGS) ./test/e2e

.PHONY: model
model: ## search the model of the protocol, then leave out each of its rules in turn
	$(GO) run ./test/model/check -seconds 6
	$(GO) test -count=1 -v -run TestEachRuleIsNeeded ./test/model

.PHONY: sim
sim: ## the simulator's long scenes, and thousands of random schedules
	ROTA_SIM=long ROTA_SIM_SEEDS=$${ROTA_SIM_SEEDS:-2000} $(GO) test -count=1 -timeout 120m $(TESTFLAGS) ./test/sim

.PHONY: mutants
mutants: ## break the program on purpose, one promise at a time; a test must notice each
	$(GO) run ./test/mutants $(MUTANTS)

.PHONY: failpoints
failpoints: ## a hundred kills of agents at chosen places, several minutes
	$(GO) test -count=1 -timeout 60m $(TESTFLAGS) ./test/failpoints

# An older program, for the scenario of an upgrade: how many commits back.
CHAOS       ?= 30m
CHAOS_BACK  ?= 20

.PHONY: chaos
chaos: deps ## break real clusters in every way for CHAOS (30m); CHAOS_SEED=n repeats an order
	old=$$(mktemp -d)
	trap 'rm -rf "$$old"' EXIT
	if git rev-parse -q --verify HEAD~$(CHAOS_BACK) >/dev/null; then
	  git archive HEAD~$(CHAOS_BACK) | tar -x -C "$$old"
	  (cd "$$old" && $(GO) build -o "$$old/rota-old" ./cmd/rota)
	  export ROTA_OLD_BIN="$$old/rota-old"
	fi
	CHAOS=$(CHAOS) $(GO) test -count=1 -v -timeout 12h $(TESTFLAGS) ./test/chaos

.PHONY: cover
cover: deps ## coverage of everything but the tests that start processes, in cover.out
	$(GO) test -short -coverpkg=./... -coverprofile=cover.out $$($(GO) list ./... | grep -vE '/test/(e2e|chaos|failpoints|bench)$$')
	$(GO) tool cover -func=cover.out | tail -1

.PHONY: lint
lint: ## gofmt, go vet, staticcheck, go mod tidy, and golangci-lint if installed
	@echo "== gofmt"
	unformatted=$$(gofmt -l .)
	if [ -n "$$unformatted" ]; then echo "not formatted, run gofmt -w:"; echo "$$unformatted"; exit 1; fi
	echo "== go vet"
	$(GO) vet ./...
	echo "== staticcheck"
	$(GO) run $(STATICCHECK) ./...
	echo "== go mod tidy"
	$(GO) mod tidy -diff
	if command -v $(GOLANGCI) >/dev/null; then
	  echo "== golangci-lint"
	  $(GOLANGCI) run
	else
	  echo "== golangci-lint is not installed: skipped"
	fi

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME each (default 30s)
	@for pkg in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do
	  for target in $$($(GO) test -list '^Fuzz' "$$pkg" | grep '^Fuzz'); do
	    echo "== $$pkg $$target"
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg"
	  done
	done

.PHONY: bench
bench: ## run the benchmarks, BENCH chooses by name; then whole clusters at full size
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...
	ROTA_BENCH=full $(GO) test -count=1 -v -timeout 60m $(TESTFLAGS) ./test/bench

.PHONY: microbench
microbench: ## growth with size, COUNT times for benchstat; ROTA_BENCH=million adds the largest
	$(GO) test -run '^$$' -bench '$(BENCH)' -count $(COUNT) -benchtime $(BENCHTIME) -timeout 6h ./fsm ./scheduling ./scheduling/cron ./scheduling/jobspec

.PHONY: deps
deps: ## fetch the modules that go.mod pins, so that a test never waits for it
	@$(GO) mod download
	# One test makes network namespaces: a bare machine may lack the tool for it.
	if ! command -v ip >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	  apt-get update -qq && apt-get install -y -qq iproute2 || echo "iproute2 could not be installed"
	fi
