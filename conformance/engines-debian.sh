#!/bin/bash
# Gets the Redis and Valkey servers of several Debian releases into .engines/ (or the directory
# given as first argument), each with the libraries of its own release, so that they run beside
# one another. Nothing is installed, and apt's own state is left alone: it works in a directory
# of its own. What cannot be had is named, and the tests skip it by name.
set -u

target=$(mkdir -p "${1:-.engines}" && cd "${1:-.engines}" && pwd) || exit 1
missing=0

lack() {
    echo "engines: CANNOT GET $1: $2" >&2
    missing=1
}

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-deb >/dev/null 2>&1 ||
    [ ! -r "$keyring" ] || [ "$(dpkg --print-architecture)" != amd64 ]; then
    lack "the servers of Debian's releases" "this is no Debian on amd64"
    exit 1
fi

# LABEL RELEASE PROGRAM PACKAGES-WITH-THE-PROGRAM
engines='
redis-6.0.16 bullseye redis-server redis-server,redis-tools
redis-8.0.2 trixie redis-server redis-server,redis-tools
redis-8.0.6 sid redis-server redis-server,redis-tools
redis-8.6.3 experimental redis-server redis-server,redis-tools
redict-7.3.6 trixie-backports redict-server redict-server,redict-tools
valkey-8.0.1 bookworm-backports valkey-server valkey-server,valkey-tools
valkey-8.1.1 trixie valkey-server valkey-server,valkey-tools
'

# What any of these servers is linked with, under the names of any of the releases.
libraries='libc6 libgcc-s1 libstdc++6 libatomic1 libjemalloc2 liblua5.1-0 lua-bitop lua-cjson
liblzf1 libssl1.1 libssl3 libssl3t64 libsystemd0 libcap2 liblzma5 libzstd1 liblz4-1 libgcrypt20
libgpg-error0 zlib1g libhiredis0.14 libhiredis1.1.0
libhiredict1.3.1'

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial"
: >"$work/status"
for release in bullseye bookworm bookworm-backports trixie trixie-backports sid experimental; do
    echo "deb [signed-by=$keyring] http://deb.debian.org/debian $release main"
done >"$work/sources.list"
apt_options=(-q -o Dir::State="$work/state" -o Dir::State::status="$work/status"
    -o Dir::Cache="$work/cache" -o Dir::Etc::sourcelist="$work/sources.list"
    -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User=root -o APT::Install-Recommends=0
    -o Acquire::GzipIndexes=false -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false)
updated=

# RELEASE PACKAGE...: those of the packages that the release has, each as PACKAGE/RELEASE; what it
# lacks is looked for in the release that it builds on.
offered() {
    local release=$1 package base index
    case $release in
    *-backports) base=${release%-backports} ;;
    experimental) base=sid ;;
    *) base=$release ;;
    esac
    shift
    for package in "$@"; do
        for index in "$release" "$base"; do
            if grep -qx "Package: $package" "$work/state/lists/"*"_dists_${index}_main_"*_Packages; then
                echo "$package/$index"
                break
            fi
        done
    done
}

get() { # LABEL RELEASE PROGRAM PACKAGES
    local root=$work/$1/root package program loader
    if [ -x "$target/$1/$3" ]; then
        echo "engines: have $1"
        return
    fi
    if [ -z "$updated" ]; then
        if ! apt-get "${apt_options[@]}" update >"$work/update.log" 2>&1; then
            lack "$1" "apt-get update failed: $(grep -m 1 '^[EW]:' "$work/update.log")"
            return
        fi
        updated=yes
    fi
    mkdir -p "$root"
    local packages
    packages=$(offered "$2" ${4//,/ } $libraries)
    case $packages in
    "$3"/*) ;;
    *)
        lack "$1" "no package $3 in $2"
        return
        ;;
    esac
    # shellcheck disable=SC2086 # one word for each package
    if ! (cd "$work/$1" && apt-get "${apt_options[@]}" download $packages) >"$work/$1.log" 2>&1; then
        lack "$1" "the download failed: $(grep -m 1 '^[EW]:' "$work/$1.log")"
        return
    fi
    for package in "$work/$1"/*.deb; do
        dpkg-deb -x "$package" "$root" || {
            lack "$1" "$(basename "$package") does not unpack"
            return
        }
    done
    # Debian's program is a link to redis-check-rdb; what counts is the file behind it.
    program=$(readlink -f "$root/usr/bin/$3")
    loader=$(find "$root" -name 'ld-linux-x86-64.so.2' | head -n 1)
    if [ ! -f "$program" ] || [ -z "$loader" ]; then
        lack "$1" "the packages hold no $3, or no loader"
        return
    fi
    rm -rf "${target:?}/$1"
    mkdir -p "$target/$1/lib"
    cp "$program" "$target/$1/program"
    cp -L "$loader" "$target/$1/lib/ld.so"
    find "$root" -name '*.so*' \( -type f -o -type l \) ! -path '*/gconv/*' ! -path '*/audit/*' -exec cp -L {} "$target/$1/lib/" \; 2>/dev/null
    cat >"$target/$1/$3" <<'SCRIPT'
#!/bin/sh
# Runs the server with the libraries of its own release.
here=$(dirname "$(readlink -f "$0")")
exec "$here/lib/ld.so" --library-path "$here/lib" "$here/program" "$@"
SCRIPT
    chmod +x "$target/$1/$3"
    if ! "$target/$1/$3" --version >"$work/$1.log" 2>&1; then
        lack "$1" "it does not run here: $(tail -n 1 "$work/$1.log")"
        rm -rf "${target:?}/$1"
        return
    fi
    rm -rf "${work:?}/$1"
    echo "engines: got $1 ($(cut -c1-60 "$work/$1.log"))"
}

while read -r label release program packages; do
    [ -n "$label" ] && get "$label" "$release" "$program" "$packages"
done <<<"$engines"

exit $missing
