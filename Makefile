# make demo   builds it and runs it in the foreground, as any user; Ctrl-C ends it
# make test   the tests, as any user; some need root and say so
# make install [DESTDIR= PREFIX=], make packages, make release
# make simulate [SEED= N=]  random lives of programs against a model of the kernel, from a seed on
# make soak [FOR=1h] [SEED=]  a hundred programs, and whatever may happen to them and to the daemon; as root
# make bench [OUT=docs/benchmarks.md]  ours beside others that are installed, as ratios; OUT writes the page and its chart

VERSION ?= $(shell cat VERSION 2>/dev/null || git describe --tags --always --dirty 2>/dev/null)
LDFLAGS  = -s -w -X main.version=$(VERSION)
GOBUILD  = CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "$(LDFLAGS)"

build: bin/keepalivedd

bin/keepalivedd: FORCE
	$(GOBUILD) -o $@ ./cmd/keepalivedd

demo: build
	bin/keepalivedd -n -l -f examples/demo.toml -p bin/demo.pid

test:
	go test -timeout 30m ./...
	cd web && go test ./...

# make web  the page, a program and a module of its own: docs/web.md
web:
	cd web && $(GOBUILD) -o ../bin/keepalivedd-web .

SEED ?= $(shell date +%s)000000
N    ?= 100000
simulate:
	SIMULATE_SEED=$(SEED) SIMULATE_N=$(N) go test -count 1 -timeout 0 -run '^TestSimulation$$' ./supervise

FOR ?= 1h
soak:
	.ci/soak '$(FOR)' '$(SEED)'

bench:
	go run ./bench $(if $(OUT),-o '$(OUT)')

# make install  what was built, into DESTDIR, for PREFIX; a configuration that is there stays. It builds nothing: root's PATH
# need not have Go.
PREFIX  ?= /usr/local
DESTDIR ?=
install:
	@[ -x bin/keepalivedd ] || { echo 'install: there is no bin/keepalivedd: run make build first' >&2; exit 1; }
	install -d '$(DESTDIR)/etc/keepalivedd/conf.d' '$(DESTDIR)/etc/init.d' '$(DESTDIR)/var/log/keepalivedd'
	install -D -m 755 bin/keepalivedd '$(DESTDIR)$(PREFIX)/sbin/keepalivedd'
	for f in keepalivedd/keepalivedd.toml:conf default/keepalivedd:default logrotate.d/keepalivedd:logrotate; do \
		to='$(DESTDIR)'/etc/$${f%%:*}; \
		[ -e "$$to" ] || install -D -m 644 "packaging/$${f#*:}/$${to##*/}" "$$to" || exit 1; \
	done
	sed 's|/usr/sbin/|$(PREFIX)/sbin/|' packaging/init.d/keepalivedd >'$(DESTDIR)/etc/init.d/keepalivedd'
	chmod 755 '$(DESTDIR)/etc/init.d/keepalivedd'
	for f in man8/keepalivedd.8 man5/keepalivedd.toml.5; do \
		install -D -m 644 "packaging/man/$${f#*/}" '$(DESTDIR)$(PREFIX)/share/man/'"$$f" || exit 1; \
	done
	install -D -m 644 packaging/completions/keepalivedd.bash '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/keepalivedd'
	install -D -m 644 packaging/completions/_keepalivedd '$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_keepalivedd'
	install -D -m 644 packaging/completions/keepalivedd.fish '$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/keepalivedd.fish'

# make packages  .deb, .rpm and .apk in dist/; make release: archives and checksums too
packages:
	packaging/tools/package.sh '$(VERSION)' dist

release:
	case '$(VERSION)' in v[0-9]*-dirty | v[0-9]*-g*) false ;; v[0-9]*) ;; *) false ;; esac || { echo 'release: $(VERSION) is no tag' >&2; exit 1; }
	rm -rf dist
	packaging/tools/release.sh '$(VERSION)' dist

clean:
	rm -rf bin dist

FORCE:
.PHONY: build demo test web simulate soak bench install packages release clean FORCE
