# Kura's make targets. `make` alone lists them.
# Everything is built into .build/ and the demo lives in .demo/; nothing else is written.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BUILD   := .build
LDFLAGS := -s -w
# runtime/secret keeps what the arithmetic on a seed leaves in registers and on stacks from lying about.
export GOEXPERIMENT := runtimesecret

FUZZTIME ?= 30s
DURATION ?= 60s
SEED     ?= 1
ROUNDS   ?= 10000
KEEP     ?=

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: build
build: ## build the binaries into .build/
	@mkdir -p $(BUILD)
	@go build -trimpath -ldflags '$(LDFLAGS)' -o $(BUILD)/ ./cmd/...

.PHONY: demo
demo: ## the whole story on this machine, some seconds after the build (KEEP=1 leaves the service up)
	@scripts/setup demo
	@echo "building (the first build takes a minute or two)…"
	@$(MAKE) build
	@KEEP='$(KEEP)' scripts/demo

.PHONY: test
test: ## run every test, with the race detector
	@scripts/setup test
	@go vet ./...
	@go test -race -timeout 30m ./...

.PHONY: check
check: check-fast lint vuln test ## format, lint, known vulnerabilities, generated files, race tests

.PHONY: check-fast
check-fast: ## format, vet, staticcheck, generated files and go.mod unchanged, Decide covered
	@scripts/check-format
	@go vet ./...
	@cd tools && go build -o ../$(BUILD)/staticcheck honnef.co/go/tools/cmd/staticcheck
	@$(BUILD)/staticcheck ./...
	@scripts/check-generated
	@scripts/cover

.PHONY: cover
cover: ## fails unless the tests run every statement of Decide and usage
	@scripts/cover

.PHONY: lint
lint: ## golangci-lint at the version that tools/go.mod pins (builds it first: minutes)
	@cd tools && go build -o ../$(BUILD)/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@$(BUILD)/golangci-lint run ./...

.PHONY: vuln
vuln: ## govulncheck, or 'skipped' where its database cannot be reached
	@scripts/vuln

.PHONY: bench
bench: ## every benchmark, as Go benchmark lines
	@go test -run '^$$' -bench . -benchmem ./...

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME each (FUZZTIME=30s)
	@FUZZTIME='$(FUZZTIME)' scripts/fuzz

.PHONY: chaos
chaos: ## the fault campaign for DURATION from SEED on (DURATION=60s SEED=1)
	@scripts/setup test
	@DURATION='$(DURATION)' SEED='$(SEED)' scripts/chaos

.PHONY: tamper
tamper: ## ROUNDS random edits of a journal of 10,000 entries in each store, all to be found (ROUNDS=10000 SEED=1)
	@scripts/setup test
	@KURA_ROUNDS='$(ROUNDS)' KURA_SEED='$(SEED)' go test -count=1 -timeout 3h -v -run 'TestStore/Tamper' ./journal/embedded ./journal/postgres

.PHONY: soak
soak: ## 100,000 signatures while the token comes and goes
	@scripts/setup demo
	@KURA_SOAK=100000 go test -count=1 -timeout 30m -run 'TestSoak|EveryFault' -v ./signer/token

.PHONY: interop
interop: ## exchange transactions with symbol-sdk and nem-sdk (needs Node 20 and npm)
	@scripts/interop

.PHONY: clean
clean: ## remove what was built and the demo
	@rm -rf $(BUILD) .demo
