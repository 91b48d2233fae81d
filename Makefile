# `make` lists the verbs. `make check` is exactly what CI runs.

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS  := -s -w -X main.version=$(VERSION)
TOOL     := $(GO) tool -modfile=.ci/tools/go.mod
DIRS     := $(wildcard cmd core objects refs remote)
TARGETS  := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

FUZZTIME       ?= 1s
# Tests that try very many cases, one after the other.
SWEEPS         := Sweep|Faults|Interrupted|Dies|Killed|Model|Histories|Sparse|DamageIsNoticed|DatabaseDamage|RoundTrip|LargeMaps|Planted|AsWhole|AreOK|AreChecked
# Tests of what comes out of many steps, which take long under the race detector:
# "make sweep" runs them without it.
STEPS          := Merge$$|MergeWaives|MergeKeeps|MergedTreesAre|Import$$|ImportUnsafe|ImportMissing|ImportNotes|Hostile|Foretells|PlanInParts|PlanLarge|Rotate|BackupCopied|ReplacedPacks|ChangesNothing|KindOfEdited|Doctor|Salvage$$|LeavesDamaged|RecoverList|AgreesWithGit|LongAndMany|MakesTheTarget|ManyBlocks|IndexFile|WriteLaws|OtherEnds|CopyTidy|DeltasOfABranch|LookUpIs|MapUpdate|PairsOfTexts|PairsOfOneImage|Similarity$$|TestSizes|TestFlat|StableUnder|PureSchemes|RenamesWithin|Rendezvous|StateMayBe|TestBorders|TestZipped|ManyTiny
# These have fewer rounds under the race detector, and all of them without it.
ROUNDS         := Beside
# Hardly anything runs at once in these: the race detector would find little.
PLAIN          := ./objects/chunk ./objects/prolly ./remote/backup/parity ./core/backupplan ./core/dataset/export ./core/dataset/report ./core/gitpair ./core/history ./core/internal/yaml ./core/revision ./cmd/internal/cli ./cmd/mlvc-bench
# All others; the program has stories, and deptest is run by "make imports".
PACKAGES        = $$($(GO) list ./... | grep -v -e /cmd/mlvc$$ -e /deptest$$ $(PLAIN:.%=-e /mlvc%$$))
BENCH_DIR      ?= /var/tmp
BENCH_FLAGS    ?=

export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help
.PHONY: help build test check fmt-check vet lint imports test-race stories sweep fuzz fuzz-some cross cross-check fmt bench bench-quick demo cover clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build mlvc and mlvc-bench into bin/
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

test: ## run every test
	$(GO) test ./...

check: fmt-check vet lint imports test-race stories sweep fuzz-some cross-check ## all that CI runs

fmt: ## format the code
	$(TOOL) gofumpt -w $(DIRS)

fmt-check: ## is the code formatted as gofumpt does?
	@out="$$($(TOOL) gofumpt -l $(DIRS))" || exit 1; \
	if [ -n "$$out" ]; then printf 'not formatted (make fmt):\n%s\n' "$$out" >&2; exit 1; fi

vet: ## go vet
	$(GO) vet ./...

lint: ## staticcheck
	$(TOOL) staticcheck ./...

imports: ## does every package import only what its row allows?
	$(GO) test ./cmd/internal/deptest

# The sweeps and steps are for "make sweep", which runs them without it. "make vet"
# looks at every test, so that these need not.
test-race: ## run the tests under the race detector, but for sweeps, steps and the stories of the program
	CGO_ENABLED=1 $(TOOL) gotestsum --format standard-quiet -- -race -vet=off -ldflags=-w -timeout 20m -skip '$(SWEEPS)|$(STEPS)' $(PACKAGES)

# They start the program thousands of times, which the detector makes slow;
# what it would see there it sees in the packages.
stories: ## run the stories and the kills of the real program, and the packages in which hardly anything runs at once
	$(GO) test -vet=off -ldflags=-w -timeout 20m ./cmd/mlvc $(PLAIN)

sweep: ## the sweeps of faults and other tests of many cases, one in many or all (MLVC_SWEEP=1)
	$(GO) test -vet=off -ldflags=-w -count=1 -timeout 20m -run '$(SWEEPS)|$(STEPS)|$(ROUNDS)' $(PACKAGES)

fuzz: ## fuzz each decoder for a short while (FUZZTIME=1s)
	@GO='$(GO)' .ci/fuzz $(FUZZTIME)

# Their known inputs are tests that always run.
fuzz-some: ## fuzz the decoders of one package in twelve, others with each commit
	@GO='$(GO)' FUZZ_ONE_IN=12 .ci/fuzz $(FUZZTIME)

cross-check: ## does all, tests too, type-check for the other systems?
	$(GO) run -modfile=.ci/tools/go.mod ./.ci/crosscheck darwin/arm64 windows/amd64

cross: ## build for every platform
	@set -e; for t in $(TARGETS); do \
		echo "cross $$t"; \
		GOOS=$${t%/*} GOARCH=$${t#*/} CGO_ENABLED=0 $(GO) build ./...; \
	done

bench: build ## measure every budget; prints the table (BENCH_DIR=/var/tmp, BENCH_FLAGS=--many=0)
	bin/mlvc-bench run --mlvc bin/mlvc --dir '$(BENCH_DIR)' $(BENCH_FLAGS)

bench-quick: build ## the same with a tenth of the data
	bin/mlvc-bench run --quick --mlvc bin/mlvc --dir '$(BENCH_DIR)' $(BENCH_FLAGS)

demo: build ## the main job on real images and a real table, step by step
	@testdata/demo.sh bin/mlvc bin/mlvc-bench

cover: ## coverage by function, and bin/cover.html
	@mkdir -p bin
	$(GO) test -coverpkg=./... -coverprofile=bin/cover.out ./...
	$(GO) tool cover -html=bin/cover.out -o bin/cover.html
	$(GO) tool cover -func=bin/cover.out | tail -1

clean: ## remove what was built
	rm -rf bin .cache
