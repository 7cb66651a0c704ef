#!/bin/sh
# Looks for known vulnerabilities in the dependency tree. Their database is fetched, so where it cannot be
# reached nothing is checked, and that is said; with ADVISORIES=required it is an error.
set -eu
database=https://github.com/rustsec/advisory-db

if ! GIT_TERMINAL_PROMPT=0 timeout 20 git ls-remote --quiet --exit-code "$database" HEAD >/dev/null 2>&1; then
    echo "==> NOT CHECKED: advisories about vulnerable crates; $database cannot be reached" >&2
    [ "${ADVISORIES:-}" != required ]
    exit
fi
exec cargo deny --workspace check --hide-inclusion-graph advisories
