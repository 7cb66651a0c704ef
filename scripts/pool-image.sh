#!/bin/sh
# Makes everything that the pool in Docker needs: `.env` (once), the directories it names, and the image.
#
#   sh scripts/pool-image.sh path/to/partita-node
#
# PARTITA_ENV names another file than `.env`. If the binary runs in the image, it is copied there; otherwise it is
# compiled inside. The base comes from a registry, or from Debian's packages if no registry is reachable.
set -eu
binary=${1:?the path of partita-node}
cd "$(dirname "$0")/.."
env=${PARTITA_ENV:-.env}

if ! docker version >/dev/null 2>&1; then
    echo "The pool runs in Docker, and no Docker engine answers here ('docker version' says why)." >&2
    exit 1
fi

# Adds a setting unless it exists: a person may have changed it.
default() {
    grep -q "^$1=" "$env" || printf '%s=%s\n' "$1" "$2" >>"$env"
}
[ -e "$env" ] || (umask 077; echo "# The pool's settings, made by 'make pool'. PARTITA_TOKEN is a secret." >"$env")
default PARTITA_TOKEN "$("$binary" token)"
default PARTITA_MASTER "partita://127.0.0.1:${PARTITA_PORT:-7077}"
default PARTITA_DATA_DIR "${PARTITA_DATA_DIR:-$PWD/data}"
default PARTITA_OUTPUT_DIR "${PARTITA_OUTPUT_DIR:-$PWD/output}"
user=$(id -u):$(id -g)
[ "$(id -u)" = 0 ] && user=1000:1000
default PARTITA_USER "$user"

setting() {
    sed -n "s/^$1=//p" "$env" | tail -n 1
}
mkdir -p "$(setting PARTITA_DATA_DIR)" "$(setting PARTITA_OUTPUT_DIR)"
# If root runs this, the workers run as another user, who must be able to write here.
[ "$(id -u)" = 0 ] && chown "$(setting PARTITA_USER)" "$(setting PARTITA_OUTPUT_DIR)"

base=${PARTITA_IMAGE_BASE:-$(setting PARTITA_IMAGE_BASE)}
if [ -z "$base" ]; then
    base=debian:bookworm-slim
    if ! docker image inspect "$base" >/dev/null 2>&1 && ! docker pull "$base"; then
        echo "==> No registry is reachable"
        base=partita-base:bookworm
        sh scripts/base-image.sh "$base"
    fi
fi
default PARTITA_IMAGE_BASE "$base"

# A fixed name in the build's context, without debug information.
mkdir -p assets/docker/bin
if ! strip -o assets/docker/bin/partita-node "$binary" 2>/dev/null; then
    cp "$binary" assets/docker/bin/partita-node
fi
stage=ready
if ! PARTITA_IMAGE_STAGE=ready PARTITA_IMAGE_BASE=$base sh scripts/compose.sh build master; then
    stage=built
    echo "==> partita-node as built here does not run in $base; building it in the image (this compiles Polars)"
    PARTITA_IMAGE_STAGE=built PARTITA_IMAGE_BASE=$base sh scripts/compose.sh build master
fi
rm -r assets/docker/bin
sed -i.bak '/^PARTITA_IMAGE_STAGE=/d' "$env" && rm -f "$env.bak"
default PARTITA_IMAGE_STAGE "$stage"
