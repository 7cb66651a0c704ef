#!/bin/sh
# Runs Docker's compose by whichever of its two names is installed, with the settings from `.env` or from the
# file that PARTITA_ENV names.
set -eu
cd "$(dirname "$0")/.."
if [ -n "${PARTITA_ENV:-}" ]; then
    set -- --env-file "$PARTITA_ENV" "$@"
fi
if docker compose version >/dev/null 2>&1; then
    exec docker compose "$@"
elif command -v docker-compose >/dev/null 2>&1; then
    exec docker-compose "$@"
fi
echo "Docker's compose is missing: install the plugin (docker-compose-plugin or docker-compose-v2), or docker-compose." >&2
exit 1
