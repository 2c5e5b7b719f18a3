#!/bin/sh
# release.sh VERSION OUT: everything of a release, built by package.sh and here:
# the packages, an archive for each architecture, the sources with all modules,
# SHA256SUMS. As reproducible as the packages.
set -eu
umask 022

if [ $# -ne 2 ]; then
	echo "usage: $0 VERSION OUT" >&2
	exit 2
fi
version=${1#v}
mkdir -p "$2"
out=$(cd "$2" && pwd)
cd "$(dirname "$0")/../.."
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH

packaging/tools/package.sh "$1" "$out"

work=$(mktemp -d "${TMPDIR:-/tmp}/keepalivedd-release.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

archive() { # NAME: the directory of that name in $work
	tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
		--mode=u=rwX,go=rX --format=gnu -cf - "$1" | gzip -9n >"$out/$1.tar.gz"
	rm -rf "${work:?}/$1"
	echo "$out/$1.tar.gz"
}

source=keepalivedd-$version
mkdir "$work/$source"
git archive HEAD | tar -C "$work/$source" -xf -
(cd "$work/$source" && go mod vendor && cd web && go mod vendor)
# What is not in git has to be told to those who build from it.
echo "$1" >"$work/$source/VERSION"
archive "$source"

for arch in ${ARCHS:-amd64 arm64 armhf riscv64}; do
	case $arch in armhf) goarch=arm ;; *) goarch=$arch ;; esac
	name=keepalivedd-$version-linux-$arch
	mkdir "$work/$name"
	CGO_ENABLED=0 GOOS=linux GOARCH=$goarch GOARM=7 \
		go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$1" -o "$work/$name/keepalivedd" ./cmd/keepalivedd
	cp README.md CHANGELOG.md LICENSE "$work/$name"
	cp packaging/deb/copyright "$work/$name/THIRD-PARTY"
	cp -R docs "$work/$name/docs"
	for dir in conf default init.d openrc systemd runit s6 inittab logrotate needrestart rsyslog man completions; do
		[ ! -d "packaging/$dir" ] || cp -R "packaging/$dir" "$work/$name/"
	done
	# The tests and the generator of what is there already.
	find "$work/$name" -name '*.go' -delete
	find "$work/$name" -type d -empty -delete
	archive "$name"
done

(cd "$out" && sha256sum ./*.deb ./*.rpm ./*.apk ./*.tar.gz | sed 's| \./| |' >SHA256SUMS)
echo "$out/SHA256SUMS"
