# One command a line of work; `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export GOTOOLCHAIN ?= local
BIN := bin
TOOLS := internal/tools/go.mod
LDFLAGS := -s -w
SOURCES := $(shell find cmd pkg internal -name '*.go' -o -name '*.sql' 2>/dev/null) go.mod go.sum

help: ## list the targets
	@sed -n 's/^\([a-z.-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

quickstart: build ## the whole life of a token, on a server of its own that is gone afterwards
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh internal/tools/quickstart.sh

run: build ## start a server for keeps, and say what to do next
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh internal/tools/run.sh

build: $(BIN)/ats-auth $(BIN)/ats-auth-server ## build both programs into bin/

# The client asks one thing at a time: HTTP/1.1 does, and is 360 KB smaller.
CLIENT_TAGS := nethttpomithttp2
$(BIN)/ats-auth: TAGS := $(CLIENT_TAGS)

# What runs once a process, or waits for a network, gains nothing by inlining: without it
# the client is 60 KB smaller and the server 570 KB.
plain = $(addprefix -gcflags=,$(addsuffix =-l,$(1)))
CLIENT_PLAIN := $(call plain,github.com/spf13/... github.com/ats-auth/ats-auth/internal/cli)
SERVER_PLAIN := $(call plain,github.com/spf13/... github.com/ats-auth/ats-auth/internal/daemon github.com/prometheus/... \
	google.golang.org/... github.com/pressly/... github.com/jackc/... github.com/go-ldap/...)
$(BIN)/ats-auth: PLAIN := $(CLIENT_PLAIN)
$(BIN)/ats-auth-server: PLAIN := $(SERVER_PLAIN)

$(BIN)/%: $(SOURCES)
	@CGO_ENABLED=0 go build -trimpath $(PLAIN) -tags '$(TAGS)' -ldflags '$(LDFLAGS)' -o $@ ./cmd/$*

build.api: ## build the server's container image, ats-auth/tokens or as API_NAME says
	@internal/tools/image.sh

install: ## install both programs into GOBIN
	CGO_ENABLED=0 go install -trimpath $(CLIENT_PLAIN) -tags '$(CLIENT_TAGS)' -ldflags '$(LDFLAGS)' ./cmd/ats-auth
	CGO_ENABLED=0 go install -trimpath $(SERVER_PLAIN) -ldflags '$(LDFLAGS)' ./cmd/ats-auth-server

test: ## run all tests
	go test $(TESTFLAGS) ./...

race: ## run all tests under the race detector
	go test -race -short ./...

# The tests of Go need Go alone. These need Node.js 20, npm and Chromium besides:
# testdata/interop/README.md.
interop: build ## have clients of npm and a real browser judge the service
	cd testdata/interop && npm ci --no-audit --no-fund && npm test

cover: ## run all tests and show what they reach
	go test -coverpkg=./cmd/...,./pkg/...,./internal/... -coverprofile=$(BIN)/cover.out ./... && go tool cover -func=$(BIN)/cover.out | tail -1

fuzz: ## fuzz every target for FUZZTIME (30s) each
	@internal/tools/fuzz.sh $(or $(FUZZTIME),30s)

bench: build ## measure against the floors, in interleaved runs
	@internal/tools/bench.sh

soak: ## let clients work while servers, their store and their network fail, for SOAK (30m)
	go test ./internal/soak -run Whatever -count=1 -timeout 0 -v -soak $(or $(SOAK),30m) -store $(or $(SOAK_STORE),postgres) -seed $(or $(SEED),0) $(if $(CALM),-calm)

docs: ## write the pages that are made from the code
	go test ./internal/cli ./internal/daemon -run TestTheDocs -update

lint: ## vet, staticcheck, gofumpt, dead code
	go vet ./...
	go tool -modfile=$(TOOLS) staticcheck ./...
	@out=$$(go tool -modfile=$(TOOLS) deadcode -test ./...); test -z "$$out" || { echo "$$out"; exit 1; }
	@out=$$(go tool -modfile=$(TOOLS) gofumpt -l cmd pkg internal); test -z "$$out" || { echo "gofumpt: $$out"; exit 1; }

cross: ## build the client for the other platforms
	@for p in darwin/arm64 darwin/amd64 windows/amd64 linux/arm64; do echo $$p; CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go build -o /dev/null ./cmd/ats-auth || exit 1; done

check: lint cross test ## what must pass before a change lands

clean: ## remove what was built
	rm -rf $(BIN)

.PHONY: help quickstart run build build.api install test race interop cover fuzz bench soak docs lint cross check clean
