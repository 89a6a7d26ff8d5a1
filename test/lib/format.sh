# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shell functions that bring the one clang-format onto this machine by which the form of C files is judged: other
# versions format otherwise. A wheel from the Python package index holds the binary.
#
# To be sourced by bash:
#   format_fetch && format_home

format_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
FORMAT_VERSION=14.0.6
# x86_64, aarch64
FORMAT_SHA256="d7c1c5e404c58e55f0170f01b3c5611dce6c119e62b5d1020347e0ad97d5a047
dbfd60528eb3bb7d7cfe8576faa70845fbf93601f815ef75163d36606e87f388"

# Sets and exports CLANG_FORMAT; true when the pinned one is there.
format_home() {
    CLANG_FORMAT=$format_root/.cache/clang-format-$FORMAT_VERSION/clang_format/data/bin/clang-format
    export CLANG_FORMAT
    [ -x "$CLANG_FORMAT" ]
}

# clang-format of the pinned version under .cache/, verified and unpacked. Safe to call from several processes at once.
format_fetch() {
    local cache=$format_root/.cache
    mkdir -p "$cache" || return 1
    (
        flock 9
        format_home || format_download "$cache"
    ) 9>"$cache/clang-format.lock"
}

format_download() {
    local cache=$1 folder=$1/clang-format-$FORMAT_VERSION wheel sum
    rm -rf "$folder" "$cache/clang-format-wheel"
    if ! /usr/bin/python3 -m pip download -q --no-deps --only-binary :all: --disable-pip-version-check \
        -d "$cache/clang-format-wheel" "clang-format==$FORMAT_VERSION" </dev/null >"$cache/clang-format.log" 2>&1 9>&-; then
        echo "pip could not fetch clang-format $FORMAT_VERSION:" >&2
        tail -n 15 "$cache/clang-format.log" >&2
        return 1
    fi
    wheel=$(find "$cache/clang-format-wheel" -name '*.whl')
    sum=$(sha256sum <"$wheel")
    if [[ $'\n'$FORMAT_SHA256$'\n' != *$'\n'"${sum%% *}"$'\n'* ]]; then
        echo "$wheel is none of the files that test/lib/format.sh names (SHA-256 differs)" >&2
        return 1
    fi
    mkdir -p "$folder" && /usr/bin/python3 -m zipfile -e "$wheel" "$folder" &&
        chmod +x "$folder/clang_format/data/bin/clang-format" && rm -rf "$cache/clang-format-wheel"
}
