#!/bin/sh
# Installs the programs that tests and benchmarks need, on Debian and Ubuntu; elsewhere prints what to
# install. The tests drive a real browser and a real terminal (Chromium and tmux). Without a reachable
# registry they make the pool's image with debootstrap. With the argument `bench`: Java, for the
# comparison with Spark.
set -eu

have_chromium() {
    [ -n "${CHROMIUM:-}" ] && return 0
    for name in chromium chromium-browser google-chrome; do
        command -v "$name" >/dev/null 2>&1 && return 0
    done
    [ -x "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" ]
}

packages=""
if [ "${1:-}" = bench ]; then
    [ "${BENCH_SPARK:-}" = skip ] || command -v java >/dev/null 2>&1 || packages=" default-jre-headless"
else
    have_chromium || packages="$packages chromium"
    command -v tmux >/dev/null 2>&1 || packages="$packages tmux"
    # Only on Debian and its derivatives, whose packages the image is made from.
    if command -v docker >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1; then
        command -v debootstrap >/dev/null 2>&1 || packages="$packages debootstrap"
    fi
fi
[ -z "$packages" ] && exit 0

give_up() {
    printf 'The tests and benchmarks need these programs, and they are missing:%s\n%s\n' "$packages" "$1" >&2
    exit 1
}
command -v apt-get >/dev/null 2>&1 ||
    give_up "Install them with this system's package manager; for a Chromium in an unusual place set CHROMIUM=/path/to/it."

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null 2>&1; then
    as_root="sudo"
else
    give_up "Run as root: apt-get install -y$packages"
fi
echo "==> Installing:$packages"
# shellcheck disable=SC2086 # both are lists of words
{ $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages; } ||
    give_up "apt-get could not install them. Install them by hand; for a Chromium in an unusual place set CHROMIUM=/path/to/it."
