# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Configures and makes one of the build dirs below build/; sourced by check and the test parts.

# The clang that this system has, the one that packages.sh names first.
build_clang() {
    local name
    for name in clang-14 clang; do
        if command -v "$name" >/dev/null; then
            echo "$name"
            return 0
        fi
    done
    echo clang
}

# build_make ROOT BUILD TARGETS CONFIGURE-ARGUMENT...: makes TARGETS (one word or several) in BUILD, configuring it first
# when it is new, when configure has changed, or when the arguments (or CC) have.
build_make() {
    local root="$1" build="$2" want
    local -a targets
    read -ra targets <<<"$3"
    shift 3
    want="CC=${CC:-} $*"
    if [ ! -x "$root/configure" ] || [ "$root/configure.ac" -nt "$root/configure" ]; then
        "$root/autogen.sh" || return 1
    fi
    mkdir -p "$build" || return 1
    if [ ! -f "$build/Makefile" ] || [ "$root/configure" -nt "$build/config.status" ] ||
        [ "$(cat "$build/.configured" 2>/dev/null)" != "$want" ]; then
        (cd "$build" && "$root/configure" "$@" >configure.out 2>&1 </dev/null) || {
            cat "$build/configure.out"
            return 1
        }
        grep -h WARNING "$build/configure.out"
        printf '%s\n' "$want" >"$build/.configured"
    fi
    make -C "$build" --no-print-directory -j"$(nproc)" "${targets[@]}" </dev/null
}
