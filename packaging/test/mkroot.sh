#!/bin/sh
# mkroot.sh KIND: prints the path of a tarball with a small Debian, safe to boot in
# namespaces: "sysvinit" boots with that, and has sshd, cron and nginx to be programs;
# "callers" has the others, OpenRC under sysvinit's init, busybox, runit and s6. Built when the cache has none of this
# month's; needs root, mmdebstrap and zstd then.
set -eu

kind=$1
suite=${KEEPALIVEDD_SUITE:-bookworm}
packages=sysvinit-core,initscripts,sysvinit-utils,busybox-syslogd,procps
case $kind in
sysvinit) packages=$packages,sysv-rc,insserv,lsb-base,openssh-server,cron,nginx-light ;;
callers) packages=$packages,openrc,runit,s6 ;;
*) echo "usage: $0 sysvinit|callers" >&2 && exit 2 ;;
esac
cache=${KEEPALIVEDD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/keepalivedd}
arch=$(uname -m)
# This script is part of the key: what it changes in the root is in the tarball.
key=$(cksum <"$0" | cut -d' ' -f1)
tarball=$cache/$kind-$suite-$arch-$(date +%Y%m)-$key.tar.zst

if [ -s "$tarball" ]; then
	echo "$tarball"
	exit 0
fi

# The machine's own mirror of that suite, and its proxy; mmdebstrap knows the
# default where there is none, as on an Ubuntu.
# shellcheck disable=SC2016 # apt's own variables
mirror=$(apt-get indextargets --no-release-info --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
	sed -n "s/^$suite //p" | head -n 1) || mirror=
http=
eval "$(apt-config shell http Acquire::http::Proxy 2>/dev/null)" || http=
[ -z "$http" ] || export http_proxy="$http"

mkdir -p "$cache"
work=$(mktemp -d "${TMPDIR:-/tmp}/keepalivedd-root.XXXXXX")
trap 'rm -rf "$work" "$tarball.$$"' EXIT
trap 'exit 1' HUP INT TERM
root=$work/root

echo "building the test root ($kind, $suite), about half a minute" >&2
timeout -k 10 300 mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	"$suite" "$root" ${mirror:+"$mirror"} >&2

# No gettys; the session of the test when the runlevel is reached.
cat >"$root/etc/inittab" <<'END'
id:2:initdefault:
si::sysinit:/etc/init.d/rcS
l0:0:wait:/etc/init.d/rc 0
l1:1:wait:/etc/init.d/rc 1
l2:2:wait:/etc/init.d/rc 2
l3:3:wait:/etc/init.d/rc 3
l4:4:wait:/etc/init.d/rc 4
l5:5:wait:/etc/init.d/rc 5
l6:6:wait:/etc/init.d/rc 6
ts:2:once:/host/session
END

# What would touch the machine does nothing, but stays, with its LSB header:
# without umountroot and the others in the dependencies, halt would run at once
# and no K script at all.
for name in hwclock.sh checkroot.sh checkfs.sh checkroot-bootclean.sh mountall.sh mountall-bootclean.sh \
	mountkernfs.sh mountdevsubfs.sh mount-configfs brightness urandom procps mountnfs.sh \
	mountnfs-bootclean.sh umountnfs.sh umountfs umountroot hostname.sh busybox-klogd cgroups cron ssh nginx; do
	script=$root/etc/init.d/$name
	[ -f "$script" ] || continue
	{
		echo '#!/bin/sh'
		sed -n '/^### BEGIN INIT INFO/,/^### END INIT INFO/p' "$script"
		echo 'exit 0'
	} >"$work/stub"
	cat "$work/stub" >"$script" # keeps the mode
done
echo 'SYSLOG_OPTS="-O /host/messages"' >"$root/etc/default/busybox-syslogd"
# The host's may have been copied, and forbid every start.
printf '#!/bin/sh\nexit 0\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"

tar -C "$root" --one-file-system -cf - . | zstd -q -3 -T0 -o "$tarball.$$"
rm -f "$cache/$kind-$suite-$arch-"*.tar.zst # of other months and lists
mv "$tarball.$$" "$tarball"
echo "$tarball"
