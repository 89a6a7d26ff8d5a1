# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shell functions that bring the one clang-format onto this machine by which the form of C files is judged: other
# versions format otherwise.
#
# To be sourced by bash:
#   format_fetch && format_home

format_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
. "$format_root/test/support/shell/wheel.sh"
FORMAT_VERSION=14.0.6
FORMAT_FOLDER=$format_root/.cache/clang-format-$FORMAT_VERSION
FORMAT_PROGRAM=clang_format/data/bin/clang-format
FORMAT_SHA256=( # x86_64, aarch64
    d7c1c5e404c58e55f0170f01b3c5611dce6c119e62b5d1020347e0ad97d5a047
    dbfd60528eb3bb7d7cfe8576faa70845fbf93601f815ef75163d36606e87f388)

# Sets and exports CLANG_FORMAT; true when the pinned one is there.
format_home() {
    CLANG_FORMAT=$FORMAT_FOLDER/$FORMAT_PROGRAM
    export CLANG_FORMAT
    [ -x "$CLANG_FORMAT" ]
}

# clang-format of the pinned version under .cache/, verified and unpacked. Safe to call from several processes at once.
format_fetch() {
    wheel_fetch clang-format "$FORMAT_VERSION" "$FORMAT_FOLDER" "$FORMAT_PROGRAM" "${FORMAT_SHA256[@]}"
}
