# make demo   builds it and runs it in the foreground, as any user; Ctrl-C ends it
# make test   the tests, as any user; some need root and say so
# make bench  ours beside Debian's keepalived and a go-daemon sample, as ratios

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
LDFLAGS  = -s -w -X main.version=$(VERSION)
GOBUILD  = CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)"

build: bin/keepalivedd

bin/keepalivedd: FORCE
	$(GOBUILD) -o $@ ./cmd/keepalivedd

demo: build
	bin/keepalivedd -n -l -f examples/demo.toml -p bin/demo.pid

test:
	go test ./...

bench:
	go run ./bench

clean:
	rm -rf bin dist

FORCE:
.PHONY: build demo test bench clean FORCE
