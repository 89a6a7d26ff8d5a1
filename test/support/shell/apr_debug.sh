# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Builds an APR whose pools take each piece of memory from malloc, of the very source that Debian's
# libapr1 is made of, so that ASan and valgrind see the bounds of what lies in a pool.
#
# To be sourced by bash:
#   apr_debug_make                sets and exports APR_DEBUG, the folder to put into LD_LIBRARY_PATH
#   apr_debug_prove PROGRAM       true when the overflow that PROGRAM (test/support/pool_overflow.c) makes is caught

apr_debug_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)

apr_debug_fail() {
    printf 'apr_debug: %s\n' "$@" >&2
    return 1
}

# What is built depends on this file; its folder is named after both.
apr_debug_key() {
    sha256sum <"$apr_debug_root/test/support/shell/apr_debug.sh" | cut -c 1-8
}

# Of the package that programs are compiled with: its source's version.
apr_debug_version() {
    dpkg-query -W -f '${source:Version}' libapr1-dev 2>/dev/null
}

# apr_debug_sources VERSION: rows of a list of sources, of the archives that the installed package is from.
apr_debug_sources() {
    local version="$1" uri suite component signed row
    apt-cache madison libapr1-dev | awk -F ' *[|] *' -v version="$version" '$2 == version { print $3 }' |
        while read -r uri row _; do
            suite=${row%%/*}
            component=${row#*/}
            signed=$(grep -lsF "${uri%/}" /etc/apt/sources.list.d/*.sources 2>/dev/null | head -n 1)
            if [ -n "$signed" ]; then
                signed=$(sed -n 's/^Signed-By: *\(\/.*\)/\1/p' "$signed" | head -n 1)
            else
                signed=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | grep -F "${uri%/}" |
                    sed -n 's/.*signed-by=\([^] ]*\).*/\1/p' | head -n 1)
            fi
            printf 'deb-src %s%s %s %s\n' "${signed:+[signed-by=$signed] }" "${uri%/}" "$suite" "$component"
        done | sort -u
}

# apr_debug_original VERSION FOLDER OPTION...: for a mirror that has lost the package's small files: upstream's
# release alone, by the address and checksum that apt's signed list of sources has for it, into FOLDER/src.
# Debian's changes are not in it; apr_debug_compile sees whether one of them changes the binary interface.
apr_debug_original() {
    local version="$1" folder="$2" uri name sum
    shift 2
    rm -rf "$folder/src" && mkdir -p "$folder/original" "$folder/src" && cd "$folder/original" || return 1
    read -r uri name _ sum < <(apt-get "$@" --print-uris source "apr=$version" |
        grep -E "^'.*' [^ ]+\.orig\.tar\.[a-z0-9]+ [0-9]+ SHA(256|512):") || return 1
    echo "apr_debug: fetching upstream's $name alone" &&
        /usr/lib/apt/apt-helper "$@" download-file "${uri//\'/}" "$folder/original/$name" "$sum" &&
        tar -x -f "$name" -C "$folder/src" --strip-components=1
}

# apr_debug_fetch VERSION FOLDER: the sources, as apt has verified them, unpacked into FOLDER/src.
apr_debug_fetch() {
    local version="$1" folder="$2"
    local -a options
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" "$folder/parts" || return 1
    apr_debug_sources "$version" >"$folder/sources.list"
    [ -s "$folder/sources.list" ] || apr_debug_fail \
        "no list of apt's has libapr1-dev $version, which is installed: its source is not to be had" \
        "    apt-get update && apt-get install libapr1-dev" || return 1
    options=(-q -o "Dir::Etc::SourceList=$folder/sources.list" -o "Dir::Etc::SourceParts=$folder/parts"
        -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder/cache" -o "APT::Sandbox::User=")
    (cd "$folder" && apt-get "${options[@]}" update && {
        { apt-get "${options[@]}" source --download-only "apr=$version" && dpkg-source --no-copy -x apr_*.dsc src; } ||
            apr_debug_original "$version" "$folder" "${options[@]}"
    }) >"$folder/fetch.log" 2>&1 </dev/null || {
        tail -n 20 "$folder/fetch.log" >&2
        apr_debug_fail "the source package apr $version cannot be fetched by apt (its last lines are above)"
    }
}

# apr_debug_interface FOLDER HEADER...: what programs compiled with these headers of FOLDER know of APR, without comments.
apr_debug_interface() {
    local folder="$1"
    shift
    printf '#include "%s"\n' "$@" | gcc -E -P -dD -D_GNU_SOURCE -D_REENTRANT -I "$folder" -x c -
}

# apr_debug_compile FOLDER PREFIX: the library, with the layout that the installed headers describe. Tables do
# not abort when they are given what another pool holds: mod_http2 puts a stream's strings into the tables of
# its request, and vouches for it.
apr_debug_compile() {
    local folder="$1" prefix="$2" includes
    local -a headers
    mkdir -p "$folder/build" && sed -i 's/^#if APR_POOL_DEBUG$/#if 0/' "$folder/src/tables/apr_tables.c" || return 1
    (cd "$folder/build" && ../src/configure --prefix="$prefix" --enable-pool-debug=yes --enable-nonportable-atomics \
        --enable-allocator-uses-mmap --disable-static CFLAGS='-O1 -g -fno-omit-frame-pointer' &&
        make -j"$(nproc)" && make install) >"$folder/build.log" 2>&1 </dev/null || {
        tail -n 30 "$folder/build.log" >&2
        apr_debug_fail "APR does not compile (its last lines are above)" || return 1
    }
    includes=$(pkg-config --variable=includedir apr-1)
    mapfile -t headers < <(cd "$prefix/include/apr-1" && LC_ALL=C ls)
    apr_debug_interface "$prefix/include/apr-1" "${headers[@]}" >"$folder/compiled" || return 1
    apr_debug_interface "$includes" "${headers[@]}" >"$folder/installed" || return 1
    diff "$folder/compiled" "$folder/installed" >&2 ||
        apr_debug_fail "what was compiled has another interface than $includes (the difference is above)"
}

apr_debug_build() {
    local version="$1" target="$2" folder
    . "$apr_debug_root/test/support/shell/packages.sh"
    packages_need "an APR with checked pools" "${PACKAGES_APR_DEBUG[@]}"
    # in a shell of its own, whose trap is not that of whoever asks for it
    (
        folder=$(mktemp -d "${TMPDIR:-/tmp}/apr-debug.XXXXXX") || exit 1
        trap 'rm -rf "$folder" "$target.new"' EXIT
        trap 'exit 1' INT TERM HUP
        echo "apr_debug: building APR $version with checked pools, once" >&2
        apr_debug_fetch "$version" "$folder" && apr_debug_compile "$folder" "$target.new" &&
            rm -rf "$target" && mv "$target.new" "$target"
    )
}

apr_debug_make() {
    local version target status=0
    version=$(apr_debug_version)
    [ -n "$version" ] || apr_debug_fail "libapr1-dev is not installed: apt-get install libapr1-dev" || return 1
    target=$apr_debug_root/.cache/apr-debug-$version-$(apr_debug_key)
    mkdir -p "$apr_debug_root/.cache" || return 1
    if [ ! -e "$target/lib/libapr-1.so.0" ]; then
        # parts of check may run at the same time
        exec 8>"$apr_debug_root/.cache/apr-debug.lock" || return 1
        flock 8 || return 1
        [ -e "$target/lib/libapr-1.so.0" ] || apr_debug_build "$version" "$target" 8>&- || status=1
        exec 8>&-
        [ "$status" -eq 0 ] || return 1
    fi
    export APR_DEBUG=$target/lib
}

apr_debug_prove() {
    local said
    said=$(LD_LIBRARY_PATH=$APR_DEBUG "$1" 2>&1) && {
        echo "not ok a write behind a pool's memory is not seen: $said"
        return 1
    }
    [[ $said == *heap-buffer-overflow* ]] || {
        echo "not ok the program that writes behind a pool's memory ended otherwise:"
        printf '%s\n' "$said" | sed 's/^/    /'
        return 1
    }
    echo "ok a write behind a pool's memory is seen"
}
