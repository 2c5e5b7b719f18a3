#!/bin/sh
# package.sh VERSION OUT: builds OUT/*.deb, *.rpm and *.apk. VERSION is what "git
# describe" says. The same commit and version give the same bytes: times are those
# of SOURCE_DATE_EPOCH or else of the commit.
#
# ARCHS="amd64 riscv64" and FORMATS="deb" choose some; all of them otherwise.
set -eu
umask 022

if [ $# -ne 2 ]; then
	echo "usage: $0 VERSION OUT" >&2
	exit 2
fi
mkdir -p "$2"
out=$(cd "$2" && pwd)
cd "$(dirname "$0")/../.."

: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH
ARCHS=${ARCHS:-amd64 arm64 armhf riscv64}
FORMATS=${FORMATS:-deb rpm apk}

# v1.2.3             1.2.3
# v1.2.3-rc.1        1.2.3~rc.1           apk: 1.2.3_rc1
# v1.2.3-4-gabcdef   1.2.3+4.gabcdef      apk: 1.2.3_p4
# abcdef             0.0.0+abcdef         apk: 0.0.0
describe=${1#v}
case $describe in *-dirty) dirty=.dirty ;; *) dirty= ;; esac
describe=${describe%-dirty}
since=$(expr "$describe" : '.*-\([0-9]*-g[0-9a-f]*\)$' || true)
tag=${describe%"${since:+-$since}"}
case $tag in
[0-9]*.[0-9]*) ;;
*) since=$tag tag=0.0.0 ;;
esac
pre=$(expr "$tag" : '[^-]*-\(.*\)' || true)
plus=$(echo "$since" | tr - .)$dirty
VERSION=${tag%%-*}${pre:+~$pre}${plus:++${plus#.}}
VERSION_APK=${tag%%-*}${pre:+_$(echo "$pre" | tr -d .)}
case $since in [0-9]*-g*) VERSION_APK=${VERSION_APK}_p${since%%-*} ;; esac

stage=$(mktemp -d "${TMPDIR:-/tmp}/keepalivedd-package.XXXXXX")
trap 'rm -rf "$stage"' EXIT
trap 'exit 1' HUP INT TERM
export VERSION ARCH

(cd packaging/tools && go build -o "$stage/nfpm" github.com/goreleaser/nfpm/v2/cmd/nfpm)

# nfpm works on a copy, because it takes the times of apk's scripts from the files.
files=$stage/packaging
cp -R packaging "$files"
cp -R docs "$stage/docs"
# What the documents name of the sources is not in a package.
page=https://github.com/keepalivedd/keepalivedd/blob/main/
sed -i "s|](\.\./|]($page|g" "$stage"/docs/*.md
sed -i "s|](\.\./\.\./|]($page|g" "$stage"/docs/*/*.md
for page in "$files"/man/*.[58]; do gzip -9n "$page"; done
gzip -9n <CHANGELOG.md >"$files/changelog.gz"
sed -e "s/@VERSION@/$VERSION/" -e "s/@DATE@/$(LC_ALL=C date -uR -d "@$SOURCE_DATE_EPOCH")/" "$files/deb/changelog" |
	gzip -9n >"$files/deb/changelog.gz"
# apk's description is one line.
awk '/^description:/ { print; getline; print; more = 1; next } more && /^ / { next } { more = 0; print }' \
	"$files/nfpm.yaml" >"$files/nfpm-apk.yaml"
find "$files" "$stage/docs" -type f -exec touch -d "@$SOURCE_DATE_EPOCH" {} +

for arch in $ARCHS; do
	# Debian's names, Go's, and nfpm's.
	case $arch in
	armhf) goarch=arm ARCH=arm7 ;;
	*) goarch=$arch ARCH=$arch ;;
	esac
	CGO_ENABLED=0 GOOS=linux GOARCH=$goarch GOARM=7 \
		go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$1" -o "$files/keepalivedd" ./cmd/keepalivedd
	for format in $FORMATS; do
		(
			cd "$stage"
			config=packaging/nfpm.yaml
			[ "$format" != apk ] || VERSION=$VERSION_APK config=packaging/nfpm-apk.yaml
			./nfpm package --config "$config" --packager "$format" --target "$out/"
		) >"$stage/log" 2>&1 || {
			cat "$stage/log" >&2
			exit 1
		}
		sed -n 's/^created package: //p' "$stage/log"
	done
done
