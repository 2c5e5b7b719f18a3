#!/bin/bash
# packages.sh: builds the packages twice and checks them: the bytes, lintian,
# piuparts, the whole life of the .deb under a booted sysvinit, the .rpm in a root of
# its own, what is in the .apk. A line "ok - …" or "not ok - …" for each assertion,
# and the count; what cannot be checked here is told as skipped. The status is 0 if
# nothing failed.
#
# ONLY="lint bytes lintian piuparts life upgrade inside rpm apk" chooses; KEEP=1 keeps the output.
set -u

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=host.sh
. "$here/host.sh"

part() { # NAME [TOOL…]: whether to do it
	chosen "$1" || return
	local part=$1 tool
	shift
	for tool; do
		if ! command -v "$tool" >/dev/null; then
			echo "skipped - $part ($tool is not installed)"
			return 1
		fi
	done
	SECONDS=0
}
took() { echo "# $1: $SECONDS s"; }

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$top" log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

if part lint; then
	cd "$here/.." || exit 1
	for script in deb/preinst deb/postinst deb/prerm deb/postrm rpm/post rpm/preun rpm/postun \
		apk/post-install apk/post-upgrade apk/pre-deinstall tools/*.sh; do
		for shell in dash bash "busybox sh"; do
			command -v "${shell%% *}" >/dev/null || continue
			# shellcheck disable=SC2086 # two words
			true_that "$shell -n $script" quietly $shell -n "$script"
		done
		if command -v shellcheck >/dev/null; then
			true_that "shellcheck $script" quietly shellcheck -s dash "$script"
		fi
		if command -v checkbashisms >/dev/null; then
			true_that "checkbashisms $script" quietly checkbashisms -f "$script"
		fi
	done
	if command -v logrotate >/dev/null; then
		mkdir "$work/rotate"
		sed "s|/var/log/keepalivedd|$work/rotate|" logrotate/keepalivedd >"$work/rotate.conf"
		chmod 644 "$work/rotate.conf"
		true_that "logrotate -d" quietly logrotate -d -s "$work/rotate.state" "$work/rotate.conf"
	fi
	if command -v rsyslogd >/dev/null; then
		true_that "rsyslogd -N1" quietly rsyslogd -N1 -f "$here/../rsyslog/keepalivedd.conf"
	fi
	if command -v perl >/dev/null; then
		for file in needrestart/keepalivedd.conf test/requests.pl; do
			true_that "perl -c $file" quietly perl -c "$file"
		done
	fi
	for tool in dash bash busybox shellcheck checkbashisms logrotate perl rsyslogd; do
		command -v $tool >/dev/null || echo "skipped - lint by $tool (it is not installed)"
	done
	took lint
fi

# Of the tree as it is, with what is not committed, in two places: another name,
# other times, another umask and time zone.
copy() {
	mkdir -p "$1"
	(cd "$top" && git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' f; do
		[ ! -f "$f" ] || printf '%s\0' "$f"
	done | xargs -0 cp --parents -t "$1")
}
copy "$work/one" || exit 1
(umask 077 && copy "$work/another/place") || exit 1
if ! (cd "$work/one" && packaging/tools/package.sh v0.1.0 "$work/old") >"$work/log" 2>&1; then
	cat "$work/log"
	is "the packages are built" yes no
	exit 1
fi
is "packages" 12 "$(find "$work/old" -type f | wc -l)"
took "building"
if part bytes; then
	(cd "$work/another/place" && umask 027 && TZ=Asia/Tokyo packaging/tools/package.sh v0.1.0 "$work/again") >"$work/log" 2>&1 || cat "$work/log"
	is "a second build gives the same bytes" "$(cd "$work/old" && sha256sum -- *)" "$(cd "$work/again" && sha256sum -- *)"
	took bytes
fi
# What cannot take over: it does not know the state of the others, as an older one.
sed -i 's/^const serviceStateVersion = .*/const serviceStateVersion = 0/' "$work/another/place/cmd/keepalivedd/upgrade.go"
(cd "$work/another/place" && umask 022 && ARCHS=amd64 FORMATS="deb rpm" packaging/tools/package.sh v0.1.2 "$work/unknowing") >"$work/log" 2>&1 || cat "$work/log"
# The new version has another default configuration, which must not push aside an
# edited one.
echo '# This is of the new version.' >>"$work/one/packaging/conf/keepalivedd.toml"
(cd "$work/one" && ARCHS=amd64 FORMATS="deb rpm" packaging/tools/package.sh v0.1.1 "$work/new") >"$work/log" 2>&1 || cat "$work/log"
old_deb=$work/old/keepalivedd_0.1.0-1_amd64.deb
new_deb=$work/new/keepalivedd_0.1.1-1_amd64.deb
old_rpm=$work/old/keepalivedd-0.1.0-1.x86_64.rpm
new_rpm=$work/new/keepalivedd-0.1.1-1.x86_64.rpm
unknowing_deb=$work/unknowing/keepalivedd_0.1.2-1_amd64.deb
unknowing_rpm=$work/unknowing/keepalivedd-0.1.2-1.x86_64.rpm

if part lintian lintian; then
	# On standard error it warns of root. "N:" is its account of what is overridden.
	# It leaves files in TMPDIR. The strings of a Go program lie end to end: what it
	# takes for a misspelt word ("afe", of "safe") depends on what lies beside it.
	TMPDIR=$work lintian -EvI --pedantic --suppress-tags spelling-error-in-binary --fail-on error,warning,info,pedantic,experimental,override \
		"$work/old/"*.deb >"$work/lintian" 2>/dev/null
	status=$?
	is "lintian: no line" "" "$(grep -v '^N:' "$work/lintian")"
	is "lintian: its status" 0 $status
	took lintian
fi

if part piuparts piuparts && as_root piuparts; then
	tarball=$("$here/mkroot.sh" sysvinit) || exit 1
	zstd -dc "$tarball" | gzip -1 >"$work/base.tgz"
	# debsums reports what mkroot.sh has changed, so it does not decide; nothing of
	# ours may be among it.
	timeout 300 piuparts -t "$work" -b "$work/base.tgz" -d "${KEEPALIVEDD_SUITE:-bookworm}" --no-eatmydata \
		--warn-on-leftovers-after-purge --warn-on-debsums-errors --no-upgrade-test "$old_deb" >"$work/piuparts.log" 2>&1
	is "piuparts" 0 $? || grep -E 'ERROR|FAIL' "$work/piuparts.log" | sed 's/^/#   /'
	is "piuparts: its last word" "PASS: All tests." "$(sed -n 's/.*\(PASS: All tests.\)$/\1/p' "$work/piuparts.log")"
	is "piuparts: nothing is left" "" "$(grep -A20 'WARN: Package purging left\|WARN: After purging files' "$work/piuparts.log")"
	is "piuparts: no file of ours is modified" "" "$(sed -n '/debsums reports/,/^[0-9]/p' "$work/piuparts.log" | grep '^  .*keepalivedd')"
	rm -f "$work/base.tgz"
	took piuparts
fi

if part life && as_root life; then
	unpack sysvinit "$work/root" || exit 1
	mkdir "$work/life"
	cp "$old_deb" "$work/life/old.deb"
	cp "$new_deb" "$work/life/new.deb"
	cp "$unknowing_deb" "$work/life/unknowing.deb"
	session life "$work/root" life-deb.sh 130 /sbin/init
	rm -rf "$work/root"
	took life
fi

# Upgraded over ssh, in place, with twenty programs, while nginx is one of them.
if part upgrade && as_root upgrade; then
	unpack sysvinit "$work/root" || exit 1
	mkdir "$work/upgrade"
	cp "$old_deb" "$work/upgrade/old.deb"
	cp "$new_deb" "$work/upgrade/new.deb"
	cp "$unknowing_deb" "$work/upgrade/unknowing.deb"
	cp "$here/requests.pl" "$work/upgrade/requests.pl"
	session upgrade "$work/root" life-upgrade.sh 130 /sbin/init
	rm -rf "$work/root"
	took upgrade
fi

# Restarted and upgraded over an sshd and by a cron that are programs of its own.
if part inside && as_root inside; then
	unpack sysvinit "$work/root" || exit 1
	mkdir "$work/inside"
	cp "$old_deb" "$work/inside/old.deb"
	cp "$new_deb" "$work/inside/new.deb"
	session inside "$work/root" life-inside.sh 130 /sbin/init
	rm -rf "$work/root"
	took inside
fi

# rpm and its scripts, in a root with a shell, by chroot: what chkconfig is asked is
# written down, the service is real.
if part rpm rpm unshare && as_root rpm; then
	true_that "rpm -K" quietly rpm -K --nosignature "$old_rpm"
	is "rpm: its configuration files" "/etc/keepalivedd/keepalivedd.toml /etc/logrotate.d/keepalivedd /etc/sysconfig/keepalivedd" \
		"$(rpm -qp --configfiles "$old_rpm" | sort | tr '\n' ' ' | sed 's/ $//')"
	unpack sysvinit "$work/rpmroot" || exit 1
	cat >"$work/rpmroot/sbin/chkconfig" <<-'EOT'
		#!/bin/sh
		echo "$*" >>/chkconfig.log
	EOT
	chmod 755 "$work/rpmroot/sbin/chkconfig"
	unshare --pid --fork --kill-child=KILL --mount --propagation private "$here/life-rpm.sh" "$work/rpmroot" "$old_rpm" "$new_rpm" "$unknowing_rpm" \
		>"$work/result" 2>"$work/rpm.log" </dev/null
	status=$?
	results rpm "$work/result"
	is "rpm: the session came to its end" 0 $status || sed 's/^/#   /' "$work/rpm.log"
	rm -rf "$work/rpmroot"
	took rpm
fi

if part apk; then
	for apk in "$work/old/"*.apk; do
		dir=$work/apk
		rm -rf "$dir" && mkdir "$dir"
		# Three gzip streams, which tar takes for one.
		tar -C "$dir" --warning=no-unknown-keyword -xzf "$apk" 2>/dev/null
		name=${apk##*/}
		# Every document of docs, and its examples with their modes.
		is "$name: its documents" "$(cd "$work/one/docs" && find . -type f ! -name '*.go' -printf '%m %p\n' | sort)" \
			"$(cd "$dir/usr/share/doc/keepalivedd" && find . -type f ! -name '*.gz' ! -name copyright ! -name rsyslog.conf -printf '%m %p\n' | sort)"
		is "$name: no link leads out of the package" "" "$(grep -rn '](\.\./' "$dir/usr/share/doc/keepalivedd" | grep -v '/adr/.*](\.\./[^.]')"
		(cd "$work/one/docs" && find . -type f ! -name '*.go') | (cd "$dir/usr/share/doc/keepalivedd" && xargs rm -f)
		is "$name: its files" "$(cat <<-'EOT'
			755 etc/init.d/keepalivedd
			644 etc/conf.d/keepalivedd
			644 etc/keepalivedd/keepalivedd.toml
			644 etc/logrotate.d/keepalivedd
			755 usr/sbin/keepalivedd
			644 usr/share/bash-completion/completions/keepalivedd
			644 usr/share/doc/keepalivedd/changelog.gz
			644 usr/share/doc/keepalivedd/copyright
			644 usr/share/doc/keepalivedd/examples/rsyslog.conf
			644 usr/share/fish/vendor_completions.d/keepalivedd.fish
			644 usr/share/man/man5/keepalivedd.toml.5.gz
			644 usr/share/man/man8/keepalivedd.8.gz
			644 usr/share/zsh/site-functions/_keepalivedd
		EOT
		)" "$(cd "$dir" && find etc usr -type f -printf '%m %p\n' | LC_ALL=C sort -k2 | awk '/init.d/ { i = $0; next } { l[++n] = $0 } END { print i; for (k = 1; k <= n; k++) print l[k] }')"
		true_that "$name: conf.d" test -d "$dir/etc/keepalivedd/conf.d"
		true_that "$name: OpenRC's script, not System V's" grep -q '^#!/sbin/openrc-run' "$dir/etc/init.d/keepalivedd"
		is "$name: its scripts" ".post-install .post-upgrade .pre-deinstall" "$(cd "$dir" && echo .p*-*)"
		for script in "$dir"/.p*-*; do
			true_that "$name: sh -n ${script##*/}" quietly sh -n "$script"
			if command -v busybox >/dev/null; then
				true_that "$name: busybox sh -n ${script##*/}" quietly busybox sh -n "$script"
			fi
		done
		is "$name: its version and name" "pkgname = keepalivedd pkgver = 0.1.0-r1" \
			"$(grep -E '^pkg(name|ver) ' "$dir/.PKGINFO" | tr '\n' ' ' | sed 's/ $//')"
	done
	echo "skipped - apk add (no Alpine here)"
	took apk
fi

count
