# `make run` shows erpc at work, `make test` checks it, `make help` lists the rest.
# All tools come with the Go toolchain or from go.mod.
GO       ?= go
FUZZTIME ?= 60s

.PHONY: help run run-cluster test-cluster test guards attack test-386 cross lint test-interop bench bench-full bench-cluster bench-smoke bench-check bench-baseline bench-test fuzz soak cover clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## a server and two clients, each a process of its own; ends by itself
	@mkdir -p bin && $(GO) build -o bin/hello ./examples/hello && bin/hello

run-cluster: ## three nodes and six clients that chat; one node is killed; ends by itself
	@mkdir -p bin && cd cluster/nats && $(GO) build -o ../../bin/cluster ./example && ../../bin/cluster $(CLUSTER_FLAGS)

test-cluster: ## meshes that lose a server, and make run-cluster, with servers inside and outside
	cd cluster/nats && ERPC_CLUSTER=full $(GO) test -count=1 ./...

.PHONY: test-install
test-install: ## the modules from outside of the repository: go get, go install, a program
	ERPC_INSTALL=full $(GO) test -count=1 ./internal/test/install

# go mod tidy knows nothing of go.work.
.PHONY: tidy
tidy: ## go mod tidy in the modules that users import
	$(GO) mod tidy
	@set -e; for module in cluster/nats plugin/otel; do \
	  ( cd $$module && $(GO) mod edit -replace github.com/goerpc/erpc=../.. && \
	    { GOWORK=off $(GO) mod tidy; st=$$?; $(GO) mod edit -dropreplace github.com/goerpc/erpc; exit $$st; } ); \
	done

# lint has vetted what go test would vet again.
test: lint guards ## everything that must pass
	$(GO) test -vet=off -race -shuffle=on ./...
	cd plugin/otel && $(GO) vet ./... && $(GO) test -vet=off -race -shuffle=on ./...
	cd cluster/nats && $(GO) vet ./... && $(GO) test -vet=off -race -shuffle=on ./...

# The race detector allocates and is slow, so these say nothing under it.
guards: ## allocations, memory and the cost of logs, without the race detector
	$(GO) test -count=1 -run '^TestAllocationsOfAMessage$$' ./internal/test/cost
	$(GO) test -count=1 -run '^TestLevelThatIsOffCostsNothing$$' ./internal/test/e2e
	$(GO) test -count=1 -run 'Hostile' ./peer/config
	$(GO) test -count=1 -run 'Bounded|Small|Honest|TooLarge' ./message
	ERPC_IDLE_SESSIONS=20000 $(GO) test -count=1 -run '^TestIdleMemory$$/^plain$$' ./socket/eventloop
	ERPC_IDLE_SESSIONS=5000 $(GO) test -count=1 -run '^TestIdleMemory$$/^tcp$$' ./socket/eventloop
	ERPC_IDLE_SESSIONS=10000 $(GO) test -count=1 -run '^TestIdleCPU$$' ./socket/eventloop
	$(GO) test -count=1 ./internal/test/attack
	$(GO) test -count=1 -run '^TestWordings$$' ./internal/test/docs

attack: ## what strangers can do to servers, in full; writes the table of docs/reliability.md
	ERPC_ATTACK=full $(GO) test -count=1 -timeout 30m ./internal/test/attack -page $(CURDIR)/docs/reliability.md

# What a program of another system or with 32-bit integers compiles.
CROSS ?= windows/amd64 darwin/arm64 freebsd/amd64 linux/arm64 linux/386
cross: ## build for other systems and processors
	@set -e; for target in $(CROSS); do \
	  echo "== $$target"; \
	  CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/} $(GO) build ./...; \
	done

test-386: ## what counts bytes, with 32-bit integers; needs a processor and kernel that run 386
	CGO_ENABLED=0 GOARCH=386 $(GO) test ./codec/... ./xfer/... ./message/... ./proto/rawproto ./proto/jsonproto ./proto/pbproto ./proto/httproto ./proto/thriftproto ./plugin/heartbeat ./session ./router/... ./peer ./socket

lint: ## format, vet and staticcheck
	@unformatted=$$(gofmt -l .); \
	  if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

test-interop: interop-programs ## against real erpc v7 programs, in a module of their own, and curl, wget, Thrift's compiler and Python library, Chromium, TypeScript, npm, shells and openapi-spec-validator
	cd interop && $(GO) vet ./... && $(GO) test -shuffle=on ./...
	CI=true ERPC_INTEROP=1 $(GO) test -count=1 -run '^(TestCurl|TestWget|TestFetch)$$' ./proto/httproto
	ERPC_INTEROP=1 $(GO) test -count=1 -run '^(TestGeneratedCode|TestPython.*)$$' ./proto/thriftproto
	CI=true ERPC_INTEROP=1 $(GO) test -count=1 ./clients/js
	@if $(HAS_VALIDATOR); then ERPC_INTEROP=1 $(GO) test -count=1 -run '^TestOpenAPIIsValid$$' ./plugin/reflect; fi
	ERPC_INTEROP=1 $(GO) test -count=1 -run '^(TestShellsComplete|TestTypesCompile|TestProtoc)$$' ./cmd/erpc/... ./cmd/protoc-gen-erpc
	CI=true ERPC_INTEROP=1 ERPC_ARTEFACTS=$(CURDIR)/bin/artefacts $(GO) test -count=1 -run '^(TestTwoPagesTalk|TestFeedInBrowser|TestFeedWithCurl)$$' ./examples/chat
	ERPC_INTEROP=1 $(GO) test -count=1 -run '^TestStreamsWithCurl$$' ./internal/test/streams
	CI=true ERPC_INTEROP=1 ERPC_ARTEFACTS=$(CURDIR)/bin/artefacts $(GO) test -count=1 -run '^(TestInBrowser|TestOtherSitesInBrowser|TestNumbersInBrowser|TestScreenshots)$$' ./plugin/dashboard ./examples/dashboard

.PHONY: generate
generate: ## Go code of the .proto files of the example and of the generator's tests
	$(GO) test -count=1 -run '^TestGeneratedCode$$' ./cmd/protoc-gen-erpc -update

.PHONY: v7-names
v7-names: ## write docs/v7-names.md
	cd interop && $(GO) run ./v7names

HAS_VALIDATOR = { python3 -c 'import openapi_spec_validator' || bin/venv/bin/python3 -c 'import openapi_spec_validator'; } 2>/dev/null

.PHONY: interop-programs
interop-programs: # from Debian, those that are missing
	@missing=; \
	  for program in curl wget chromium; do command -v $$program >/dev/null 2>&1 || missing="$$missing $$program"; done; \
	  command -v protoc >/dev/null 2>&1 || missing="$$missing protobuf-compiler"; \
	  command -v thrift >/dev/null 2>&1 || missing="$$missing thrift-compiler"; \
	  command -v tsc >/dev/null 2>&1 || missing="$$missing node-typescript"; \
	  for program in npm zsh fish; do command -v $$program >/dev/null 2>&1 || missing="$$missing $$program"; done; \
	  /usr/bin/python3 -c 'import thrift' 2>/dev/null || missing="$$missing python3-thrift"; \
	  $(HAS_VALIDATOR) || /usr/bin/python3 -c 'import ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	  [ -z "$$missing" ] || { apt-get update -q && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing </dev/null; }
	@$(HAS_VALIDATOR) || \
	  { /usr/bin/python3 -m venv bin/venv && bin/venv/bin/pip install -q openapi-spec-validator==0.9.0; } || \
	  echo "openapi-spec-validator is not to be had: TestOpenAPIIsValid is skipped"

bench: ## against other frameworks, about five minutes; writes docs/performance.md
	$(MAKE) -C bench bench

bench-full: ## the same with longer samples and more rounds
	$(MAKE) -C bench bench-full

bench-cluster: ## one room of 15,000 sessions on one node and on three, against centrifuge; writes docs/performance/cluster.md
	$(MAKE) -C bench bench-cluster

.PHONY: bench-shapes
bench-shapes: ## other transports, bodies and loads against other frameworks, six minutes; writes docs/performance/shapes.md
	$(MAKE) -C bench bench-shapes

.PHONY: bench-streams
bench-streams: ## streams against io.Copy, grpc-go, connect-go and drpc, two minutes; writes docs/performance/streams.md
	$(MAKE) -C bench bench-streams

.PHONY: bench-sessions
bench-sessions: ## 100,000 sessions in memory, of which 5,000 come and go each second, and a broadcast each second; needs a quiet machine and 3 GB
	ERPC_MANY_SESSIONS=full $(GO) test -count=1 -timeout 10m -v -run '^TestManySessions$$' ./internal/test/e2e

.PHONY: bench-hello
bench-hello: ## size, memory and start of the smallest servers of erpc, grpc-go and kitex; writes docs/performance/hello.md
	$(MAKE) -C bench bench-hello

bench-smoke: ## does the benchmark run? writes nothing
	$(MAKE) -C bench bench-smoke

# The hot functions. Figures that do not depend on the machine are compared,
# times are printed.
BENCHMARKS = $(GO) test -run '^$$' -bench . -benchmem -benchtime 100ms -count 4 -cpu 2 \
	  ./internal/test/cost ./internal/calltable ./internal/stream ./internal/workerpool ./codec ./message \
	  ./proto/rawproto ./proto/jsonproto ./proto/pbproto ./router ./session ./socket ./xfer

bench-check: ## fails if hot functions cost more allocations, bytes or system calls than bench/baseline.txt says
	@mkdir -p bin
	@$(BENCHMARKS) > bin/bench.txt || { cat bin/bench.txt; exit 1; }
	@$(GO) tool benchstat bench/baseline.txt bin/bench.txt
	$(GO) run ./internal/test/cost/compare bench/baseline.txt bin/bench.txt

bench-baseline: ## make what this machine measures the committed figures
	$(BENCHMARKS) > bench/baseline.txt

bench-test: ## tests of the benchmark, a module of its own
	$(MAKE) -C bench bench-test

fuzz: ## each fuzz target for FUZZTIME
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$target $(FUZZTIME)"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; \
	done

STREAM_WALK ?= 30s
.PHONY: test-streams
test-streams: ## the suite of streams at full size, and STREAM_WALK of random faults for each seed
	ERPC_STREAMS=full ERPC_STREAM_WALK=$(STREAM_WALK) $(GO) test -count=1 -timeout 30m ./internal/test/streams

.PHONY: test-faults
test-faults: ## half-open and slow networks between two network namespaces; needs root and iproute2
	ERPC_NETFAULT=1 $(GO) test -count=1 -v ./internal/test/netfault

.PHONY: dashboard
dashboard: ## a peer under load, with its dashboard at http://127.0.0.1:9091/
	@mkdir -p bin && $(GO) build -o bin/dashboard ./examples/dashboard && bin/dashboard

.PHONY: dashboard-picture
dashboard-picture: ## write docs/dashboard.png, after five minutes of load; needs Chromium
	ERPC_DASHBOARD_PICTURE=$(CURDIR)/docs/dashboard.png $(GO) test -count=1 -timeout 15m -run '^TestScreenshots$$' ./examples/dashboard

SOAK ?= 10m
soak: ## mixed load and faults for SOAK; every call must be accounted for
	@mkdir -p bin
	$(GO) run ./cmd/soak -length $(SOAK) -svg bin/soak.svg

cover: ## coverage of all packages by all tests, as bin/cover.html
	@mkdir -p bin
	$(GO) test -coverpkg=./... -coverprofile=bin/cover.out ./...
	$(GO) tool cover -html=bin/cover.out -o bin/cover.html
	$(GO) tool cover -func=bin/cover.out | tail -n 1

clean:
	rm -rf bin
	$(MAKE) -C bench bench-clean
