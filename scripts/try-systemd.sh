#!/usr/bin/env bash
# Runs deploy/claviger.service under a real systemd, as the first process of namespaces of its own,
# on a throw-away layer over this machine's files: nothing outside it is changed.
# Usage: scripts/try-systemd.sh PATH_OF_CLAVIGER   (as root; needs systemd and overlayfs)
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "$1")
# Below the range from which the system takes ports for connections, and nobody's now.
free() { python3 -c 'import socket, sys; socket.socket().bind(("127.0.0.1", int(sys.argv[1])))' "$1"; }
until port=$(shuf -n 1 -i 10000-29999) && free "$port" 2>/dev/null; do :; done
systemd=/lib/systemd/systemd
skip() { echo "SKIPPED systemd: $1"; exit 0; }
[ "$(id -u)" = 0 ] || skip "needs root"
[ -x "$systemd" ] || skip "systemd is not installed"
base=$(mktemp -d)
end() {
    [ -z "${first:-}" ] || kill -9 "$first" 2>/dev/null || true
    umount -l "$base" 2>/dev/null || true
    rmdir "$base" 2>/dev/null || true
}
trap end EXIT
mount -t tmpfs -o mode=0755 tmpfs "$base" 2>/dev/null || skip "nothing may be mounted here"
mkdir "$base/upper" "$base/work" "$base/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$base/root" \
    2>/dev/null || skip "there is no overlayfs here"
root=$base/root
install -D -m 0755 "$binary" "$root/usr/local/bin/claviger"
install -D -m 0644 deploy/claviger.service "$root/etc/systemd/system/claviger.service"
mkdir -p "$root/etc/claviger"
echo "listen = \"127.0.0.1:$port\"" >"$root/etc/claviger/claviger.toml"
(umask 077 && printf 'CLAVIGER_ROOT_ACCESS_KEY=%s\nCLAVIGER_ROOT_SECRET_KEY=%s\n' \
    DRILLKEY0001 drill-secret-0123456789 >"$root/etc/claviger/env")
cat >"$base/enter" <<'IN'
set -e
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
mount --rbind /sys "$root/sys"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mkdir -p "$root/former"
cd "$root"
pivot_root . former
umount -l /former
export container=lxc
exec /lib/systemd/systemd --system --unit=claviger.service
IN
unshare --fork --kill-child --pid --mount --uts --ipc bash "$base/enter" "$root" \
    >"$base/log" 2>&1 &
outer=$!
within() { nsenter -t "$first" -p -m -u -i -r -w "$@"; }
ask() { curl -s -m 3 "http://127.0.0.1:$port/readyz" 2>/dev/null || true; }
until_ready() {
    for _ in $(seq 300); do
        [ "$(ask)" = ready ] && return 0
        sleep 0.1
    done
    echo "the service did not get ready" >&2
    within journalctl --no-pager -u claviger -n 20 -o cat >&2 || true
    return 1
}
# Whether this machine lets systemd run at all is not the unit's affair.
for _ in $(seq 200); do
    first=$(pgrep -P "$outer" | head -1) || true
    [ -n "$first" ] && within systemctl show -p Version >/dev/null 2>&1 && up=yes && break
    sleep 0.1
done
[ -n "${up:-}" ] || skip "it does not get up here: $(tail -n 3 "$base/log" | tr '\n' ' ')"
until_ready
echo "ok    systemd: the unit runs in its sandbox, and answers"
main() { within systemctl show claviger -p MainPID --value; }
pid=$(main)
status=$(within cat "/proc/$pid/status")
grep -qE '^CapEff:\s+0000000000000000$' <<<"$status"
grep -qE '^NoNewPrivs:\s+1$' <<<"$status"
grep -qE '^Seccomp:\s+2$' <<<"$status"
! grep -qE '^Uid:\s+0\s' <<<"$status"
echo "ok    systemd: it is nobody in particular, without capabilities, with a filter of calls"
within kill -9 "$pid"
for _ in $(seq 100); do [ "$(main)" != "$pid" ] && break; sleep 0.1; done
until_ready
[ "$(main)" != "$pid" ]
echo "ok    systemd: killed, it is started again"
within systemctl stop claviger
[ "$(within systemctl show claviger -p Result --value)" = success ]
echo "ok    systemd: stopped in order"
