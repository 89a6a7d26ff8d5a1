# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shell functions that build small Go programs of the tests, each a module of its own below test/kubeflow or test/lint, because
# the one of gotools.sh needs other versions of the same modules.
#
# To be sourced by bash, after packages.sh and gotools.sh:
#   gomodules_build kustomize-5.0.3 && "$(gomodules_program kustomize-5.0.3)" build .

gomodules_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)

# The folder of a module, below the root.
gomodules_folder() {
    local folder
    for folder in test/kubeflow test/lint; do
        [ ! -f "$gomodules_root/$folder/$1/go.mod" ] || echo "$folder/$1"
    done
}

# Where the program of a module is; its folder is named after what it is built from.
gomodules_program() {
    local key
    key=$(cd "$gomodules_root/$(gomodules_folder "$1")" && find . -type f -not -name '*_test.go' | LC_ALL=C sort |
        xargs sha256sum | sha256sum | cut -c 1-16)
    echo "$gomodules_root/.cache/go-$1/$key/$1"
}

# Builds the program of a module under .cache/ unless it is there. Safe to call from several processes at once.
gomodules_build() {
    local name=$1 cache=$gomodules_root/.cache program
    program=$(gomodules_program "$name")
    mkdir -p "$cache" || return 1
    (
        flock 9
        [ -x "$program" ] && exit 0
        gotools_go || { gotools_go_fetch "$cache" && gotools_go; } || exit 1
        echo "building $name (once)"
        rm -rf "$cache/go-$name" && mkdir -p "$(dirname "$program")" || exit 1
        if ! (cd "$gomodules_root/$(gomodules_folder "$name")" && CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly \
            env -u GOROOT "$GO" build -buildvcs=false -ldflags='-s -w' -o "$program" .) </dev/null >"$cache/go-$name.log" 2>&1 9>&-
        then
            echo "Go could not build $(gomodules_folder "$name"):" >&2
            tail -n 15 "$cache/go-$name.log" >&2
            exit 1
        fi
    ) 9>"$cache/go-$name.lock"
}
