#!/bin/bash
# boot.sh ROOT OUT COMMAND…: runs COMMAND, say /sbin/init, as PID 1 of namespaces
# of its own over a throw-away copy of ROOT, which is never written. OUT is its
# /host: the session goes in, messages, console and results come out.
#
# Call it under timeout(1). It exits with 130 when the system halted and 129 when
# it rebooted: reboot(2) in a pid namespace ends its init, never the machine.
# When it is killed itself, everything in the namespaces goes with it.
set -eu

export LOWER OUT
LOWER=$(realpath "$1")
OUT=$(realpath "$2")
shift 2

# shellcheck disable=SC2016 # expanded by the inner shell
exec unshare --pid --fork --kill-child=KILL --mount --uts --ipc --net --propagation private bash -c '
set -eu
m=$OUT/m; mkdir -p "$m"
mount -t tmpfs tmpfs "$m"; mkdir "$m/up" "$m/work" "$m/root"; r=$m/root
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$m/up,workdir=$m/work" "$r"
mount -t proc proc "$r/proc" -o nosuid,nodev,noexec
mount -t tmpfs tmpfs "$r/dev" -o mode=755; mkdir -p "$r/dev/pts" "$r/dev/shm"
while read -r name minor; do mknod -m 666 "$r/dev/$name" c 1 "$minor"; done <<END
null 3
zero 5
full 7
random 8
urandom 9
END
mknod -m 666 "$r/dev/tty" c 5 0
mount -t devpts devpts "$r/dev/pts" -o newinstance,ptmxmode=0666,mode=620
ln -s pts/ptmx "$r/dev/ptmx"; ln -s /proc/self/fd "$r/dev/fd"
mkfifo "$r/dev/console"; cat <>"$r/dev/console" >>"$OUT/console" &
mount -t tmpfs tmpfs "$r/run" -o mode=755; mkdir -p "$r/run/lock" "$r/host"
mount --bind "$OUT" "$r/host"
hostname testhost; ip link set lo up 2>/dev/null || true
cd "$r"; mkdir -p .old; pivot_root . .old
exec env -i PATH=/sbin:/usr/sbin:/bin:/usr/bin TERM=linux \
	chroot . /bin/sh -c "umount -l /.old; exec \"\$@\"" sh "$@" </dev/console >/dev/console 2>&1
' bash "$@"
