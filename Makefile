# make run    build closecap and run the main job: closecap run shutdown-wr
# make test   every check and every test
# make bench  speed and memory beside other tools
# make build  bin/closecap

GO ?= $(shell command -v go || echo /usr/local/go/bin/go)
SCENARIO ?= shutdown-wr
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)

# An account without a home of its own builds inside the checkout.
ifneq ($(shell [ -w "$$HOME" ] && echo yes),yes)
export GOPATH := $(CURDIR)/.cache/go
export GOCACHE := $(CURDIR)/.cache/build
export XDG_CACHE_HOME := $(CURDIR)/.cache
export GOFLAGS := -modcacherw
endif

TAGS = $(eval TAGS := $$(shell sh .ci/libpcap))$(TAGS)
BUILD = $(GO) build -buildvcs=false -tags '$(TAGS)' -trimpath

.PHONY: build run test bench clean format vet staticcheck vulncheck cross unit

build:
	$(BUILD) -o bin/closecap ./cmd/closecap

run: build
	./bin/closecap run $(SCENARIO)

test: tools format vet staticcheck vulncheck cross unit

.PHONY: tools
tools:
	@sh .ci/tools

format:
	@out=$$(gofmt -l cmd capture analyze pcaps); [ -z "$$out" ] || { echo "not gofmt-clean: $$out"; exit 1; }

vet:
	$(GO) vet -tags '$(TAGS)' ./...

staticcheck:
	$(GO) tool staticcheck -tags '$(TAGS)' ./...

vulncheck:
	@sh .ci/vulncheck $(GO)

cross:
	@sh .ci/cross $(GO)

unit:
	$(GO) test -buildvcs=false -pgo=off -race -tags '$(TAGS)' ./...
	$(GO) test -buildvcs=false -pgo=off -race -tags nopcap ./capture/live/...

bench: build
	sh .ci/bench

# What the compiler is told of where the time goes, measured anew.
.PHONY: pgo
pgo:
	@mkdir -p bin
	$(GO) test -buildvcs=false -pgo=off -tags '$(TAGS)' -run '^$$' -bench Analyze -benchtime 36x -cpuprofile bin/cpu.pprof -o bin/closecap.test ./cmd/closecap
	$(GO) tool pprof -proto -output cmd/closecap/default.pgo bin/cpu.pprof

clean:
	rm -rf bin
	[ ! -d .cache ] || { chmod -R u+w .cache && rm -rf .cache; }

# The recordings that the program carries, made anew on this machine's kernel.
.PHONY: pcaps
pcaps: build
	for name in $$(./bin/closecap list | cut -d' ' -f1); do \
		./bin/closecap run "$$name" --private --save "pcaps/$$name.pcapng" --format json > "pcaps/$$name.json" || exit 1; \
	done
	./bin/closecap analyze pcaps/close.pcapng --format svg > .github/close.svg
