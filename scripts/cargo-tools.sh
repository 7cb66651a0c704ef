#!/bin/sh
# Installs the cargo tools that `make` calls and that are missing: cargo-tools.sh DIRECTORY NAME@VERSION…
# What is on PATH already is used, whichever version it is; the others are compiled once, into DIRECTORY/bin.
set -eu
directory=${1:?where they go}
shift

missing=""
for tool; do
    name=${tool%@*}
    command -v "$name" >/dev/null 2>&1 || [ -x "$directory/bin/$name" ] || missing="$missing $tool"
done
[ -z "$missing" ] && exit 0

# Quick to compile rather than quick: none of them has much to do. They share what they have in common.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_DEBUG=0
export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_STRIP=debuginfo
export CARGO_TARGET_DIR="$directory/build"
for tool in $missing; do
    echo "==> Compiling $tool into $directory (once; minutes)"
    case $tool in
    # Neither watches nor serves: with them it is twice as large.
    mdbook@*) features="--no-default-features --features search" ;;
    # What else it can do is to replace itself.
    cargo-nextest@*) features="--no-default-features --features default-no-update" ;;
    *) features="" ;;
    esac
    # shellcheck disable=SC2086 # a list of words
    cargo install --locked --quiet --root "$directory" $features "$tool" || {
        echo "$tool could not be installed. Install it by hand: cargo install --locked $tool" >&2
        exit 1
    }
done
rm -rf "$directory/build"
