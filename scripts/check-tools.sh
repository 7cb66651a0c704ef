#!/bin/sh
# Checks for the tools that build Partita, and says in one message how to install those that are missing.
set -eu

missing=""
want() { missing="$missing
  - $1"; }

if ! command -v cargo >/dev/null 2>&1 || ! command -v rustc >/dev/null 2>&1; then
    want "Rust (cargo and rustc on PATH): install rustup from https://rustup.rs, then open a new terminal"
fi

if ! command -v cc >/dev/null 2>&1; then
    want "a C compiler (cc): 'apt-get install gcc libc6-dev' on Debian and Ubuntu, 'xcode-select --install' on macOS"
fi

python="${PYTHON:-python3}"
if ! command -v "$python" >/dev/null 2>&1; then
    want "Python 3.10 or newer ($python): 'apt-get install python3 python3-venv' on Debian and Ubuntu; choose another one by 'make PYTHON=…'"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    want "Python 3.10 or newer: $python is $("$python" -V 2>&1); choose another one by 'make PYTHON=…'"
elif ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    want "Python's venv module for $python: 'apt-get install python3-venv' on Debian and Ubuntu"
fi

if [ -n "$missing" ]; then
    printf 'Partita cannot be built yet. Missing:%s\nInstall what is missing and run make again.\n' "$missing" >&2
    exit 1
fi
