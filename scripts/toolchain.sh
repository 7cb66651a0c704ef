#!/bin/sh
# Prints the name of an installed toolchain of the version that rust-toolchain.toml asks for, when rustup has none
# under the name it asks for: the version under the name `stable`, say. `make` then builds with that one and
# downloads nothing. Otherwise prints nothing.
set -eu
command -v rustup >/dev/null 2>&1 || exit 0
version=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
installed=$(rustup toolchain list 2>/dev/null | cut -d' ' -f1) || exit 0
case $installed in *"$version-"*) exit 0 ;; esac
for toolchain in $installed; do
    case $(rustc "+$toolchain" --version 2>/dev/null) in
    "rustc $version "*)
        echo "$toolchain"
        exit 0
        ;;
    esac
done
