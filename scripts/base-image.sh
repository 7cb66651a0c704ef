#!/bin/sh
# Makes the base of the pool's image from Debian's packages, for machines that reach no container
# registry: `sh scripts/base-image.sh NAME`. Needs root and debootstrap. An existing image is kept.
set -eu
name=${1:?the name of the image}
suite=bookworm
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

docker image inspect "$name" >/dev/null 2>&1 && exit 0
if ! command -v debootstrap >/dev/null 2>&1; then
    echo "debootstrap is missing: apt-get install debootstrap" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "debootstrap needs root: run 'sudo sh scripts/base-image.sh $name', then try again" >&2
    exit 1
fi
# On any exit, unmount /proc and remove the directory, so no half-made system is left behind.
root=$(mktemp -d)
trap 'umount "$root/proc" 2>/dev/null || true; rm -rf --one-file-system "$root"' EXIT
trap 'exit 1' INT TERM
echo "==> Making $name from Debian's packages (half a minute)"
if ! debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$root.log" 2>&1; then
    tail -n 20 "$root.log" >&2
    echo "debootstrap failed; its full output is in $root.log" >&2
    exit 1
fi
rm -f "$root.log"
umount "$root/proc" 2>/dev/null || true
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* "$root"/usr/share/man/*
tar --create --one-file-system --directory "$root" --exclude=./proc/* --exclude=./sys/* . |
    docker import --change 'CMD ["sh"]' - "$name" >/dev/null
