# make run      build closecap and run the main job: closecap run shutdown-wr
# make test     every check and every test
# make tools    install what building and testing want: compiler, libpcap, tshark, nginx...
# make build    bin/closecap
# make install  program, man pages, completion: PREFIX=/usr/local, DESTDIR; make uninstall
# make dist     a release in dist/: static tars and Debian packages, for amd64 and arm64
# make web      dist/closecap.html, a page that analyzes a capture in the browser; make webtest tries it there
# make gallery  dist/gallery.html, the pictures of all scenarios on one page
# make bench    speed and memory beside other tools
# make points   captures at both ends and on the router, by real kernels: what is said of the way, and what happened there (root, nft)
# make thin     what thinner captures claim that whole ones do not, and what is withheld
# make mutate   break the analysis on purpose: what no test notices is explained in .ci/mutants
# make vmtest   what watch knows on kernels of Debian's, in virtual machines
# make fleet    cmd/closecap-fleet, a module of its own: bin/closecap-fleet and its tests; make fleet-run: it beside closecap
# make man      doc/man from the commands; make schema: doc/schema.json from the types

GO ?= $(shell command -v go || echo /usr/local/go/bin/go)
SCENARIO ?= shutdown-wr
VERSION ?= $(shell sh .ci/version)
PREFIX ?= /usr/local
BIN ?= bin/closecap
DUCKDB_VERSION ?= 1.5.6-r.1

# An account without a home of its own builds inside the checkout.
ifneq ($(shell [ -w "$$HOME" ] && echo yes),yes)
export GOPATH := $(CURDIR)/.cache/go
export GOCACHE := $(CURDIR)/.cache/build
export XDG_CACHE_HOME := $(CURDIR)/.cache
export GOFLAGS := -modcacherw
endif

TAGS = $(eval TAGS := $$(shell sh .ci/libpcap))$(TAGS)
# The pure-Go capture needs no C compiler, so none is asked.
BUILD = $(if $(TAGS),CGO_ENABLED=0 )$(GO) build -buildvcs=false -tags '$(TAGS)' -trimpath -ldflags '-X main.linked=$(VERSION)'

.PHONY: build run test bench clean format vet staticcheck vulncheck cross unit

build: toolchain
	$(BUILD) -o bin/closecap ./cmd/closecap

.PHONY: toolchain
toolchain:
	@sh .ci/toolchain '$(GO)'

run: build
	./bin/closecap run $(SCENARIO)

test: toolchain missing format vet staticcheck vulncheck cross unit

# What the tests would skip is said, and not installed: that is make tools.
.PHONY: missing tools
missing:
	@sh .ci/tools

tools:
	@sh .ci/tools install

format:
	@out=$$(gofmt -l *.go cmd capture analyze internal pcaps doc); [ -z "$$out" ] || { echo "not gofmt-clean: $$out"; exit 1; }

vet:
	$(GO) vet -tags '$(TAGS)' ./...

staticcheck:
	$(GO) tool staticcheck -tags '$(TAGS)' ./...

vulncheck:
	@sh .ci/vulncheck $(GO)

cross:
	@sh .ci/cross $(GO)

# The longest tests begin first.
unit:
	$(if $(CLOSECAP_NO_SKIP),$(GO) run .ci/unread.go $(GO) test -count=1,$(GO) test) -buildvcs=false -pgo=off -race -timeout 60m -tags '$(TAGS)' ./cmd/closecap ./...
	$(GO) test -buildvcs=false -pgo=off -race -tags nopcap ./capture/live/...

# Under sudo nothing is compiled where make build has been.
.PHONY: install uninstall dist man schema
install: $(if $(wildcard $(BIN)),,build)
	@sh .ci/install '$(BIN)' '$(VERSION)' '$(DESTDIR)' '$(PREFIX)'

uninstall:
	@sh .ci/install --remove '$(DESTDIR)' '$(PREFIX)'

dist: build
	@MAKE='$(MAKE)' sh .ci/dist $(GO)

.PHONY: web webtest gallery
web: toolchain
	@GO='$(GO)' sh .ci/web '$(VERSION)'

webtest: web
	CLOSECAP_PAGE=$(CURDIR)/dist/closecap.html $(GO) test -buildvcs=false -pgo=off -tags web -count 1 -v ./cmd/closecapweb

gallery: build
	@sh .ci/gallery ./bin/closecap

man:
	$(GO) test -buildvcs=false -pgo=off -tags nopcap ./cmd/closecap -run TestManPages -update

schema:
	$(GO) test -buildvcs=false -pgo=off ./doc -run TestSchema -update

# EACH is how many connections of each kind are generated, SEED another number to lose others of the packets. Of what has
# SETS packets at most every set of them is tried: 13 takes minutes.
.PHONY: thin
thin:
	$(GO) test -buildvcs=false -pgo=off ./analyze/thin -count 1 -timeout 30m -v -run 'TestThin|TestTruth|TestPoints|TestSplit' -args -every -each $(or $(EACH),1) -seed $(or $(SEED),0) -sets $(or $(SETS),7)

# EACH is how many connections each scenario has, ONLY picks scenarios by a part of their name.
.PHONY: points
points: toolchain
	$(GO) run -buildvcs=false ./.ci/points -each $(or $(EACH),120) -only '$(ONLY)'

# FILES are files of analyze; without, those that .ci/mutants says have been examined.
.PHONY: mutate
mutate:
	$(GO) run ./.ci/mutate $(FILES)

bench: build
	sh .ci/bench

# What the compiler is told of where the time goes, measured anew.
.PHONY: pgo
pgo:
	@mkdir -p bin
	$(GO) test -buildvcs=false -pgo=off -tags '$(TAGS)' -run '^$$' -bench Analyze -benchtime 36x -cpuprofile bin/cpu.pprof -o bin/closecap.test ./cmd/closecap
	$(GO) tool pprof -proto -output cmd/closecap/default.pgo bin/cpu.pprof

clean:
	rm -rf bin dist
	[ ! -d .cache ] || { chmod -R u+w .cache && rm -rf .cache; }

# A module of its own: nothing of it is in closecap, or in make test. DuckDB is for its tests.
DUCKDB = bin/duckdb/node_modules/@duckdb/node-api
.PHONY: fleet fleet-run fleet-build
fleet: fleet-build $(DUCKDB)
	cd cmd/closecap-fleet && $(GO) vet ./... && $(GO) test -buildvcs=false -count=1 ./...

fleet-build: toolchain
	cd cmd/closecap-fleet && $(GO) build -buildvcs=false -ldflags '-X main.linked=$(VERSION)' -o ../../bin/closecap-fleet .

$(DUCKDB):
	npm install --no-audit --no-fund --prefix bin/duckdb @duckdb/node-api@$(DUCKDB_VERSION)

# FILES is how many files are read: a hundred thousand take some minutes.
.PHONY: fleet-many
fleet-many: fleet-build
	cd cmd/closecap-fleet && $(GO) test -buildvcs=false -count=1 -timeout 60m -v -run TestManyFiles . -args -files $(or $(FILES),100000)

fleet-run: build fleet-build
	GO='$(GO)' bash .ci/fleetrun

.PHONY: vmtest
vmtest: toolchain
	GO='$(GO)' sh .ci/vmtest

# The recordings that the program carries, made anew on this machine's kernel.
.PHONY: pcaps
pcaps: build
	for name in $$(./bin/closecap list | cut -d' ' -f1); do \
		./bin/closecap run "$$name" --private --save "pcaps/$$name.pcapng" --format json > "pcaps/$$name.json" || exit 1; \
	done
	./bin/closecap analyze pcaps/close.pcapng --format svg > .github/close.svg

# The BPF programs that the program carries, compiled anew with clang.
.PHONY: bpf
bpf:
	capture/bpf/build
