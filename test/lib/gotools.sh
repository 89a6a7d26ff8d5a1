# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shell functions that build the Go programs of the tests for Kubeflow: kustomize, istioctl, and Istio's
# control plane for a gateway without a cluster (xds), as one binary under three names.
#
# To be sourced by bash:
#   gotools_build && gotools_home

gotools_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# The newest minor version of Go that the dependencies ask for (go.mod).
gotools_wanted() {
    sed -n 's/^go 1\.\([0-9]*\).*/\1/p' "$gotools_root/test/kubeflow/go.mod"
}

# Sets GO to a `go` that suits: the one of the PATH, or where Go's own archives put it.
gotools_go() {
    local candidate version wanted
    wanted=$(gotools_wanted)
    for candidate in go /usr/local/go/bin/go; do
        version=$(GOTOOLCHAIN=local "$candidate" version 2>/dev/null | sed -n 's/^go version go1\.\([0-9]*\).*/\1/p')
        if [ -n "$version" ] && [ "$version" -ge "$wanted" ]; then
            GO=$candidate
            return 0
        fi
    done
    echo "Go 1.$wanted or later is needed, in the PATH or in /usr/local/go: Debian 12's own golang is older." >&2
    echo "Install the Go project's archive for Linux there, or Debian's golang-1.$wanted where backports have it." >&2
    return 1
}

# What is built depends on these; its folder is named after them.
gotools_key() {
    (cd "$gotools_root/test/kubeflow" && find go.mod go.sum tools xds -type f -not -name '*_test.go' | LC_ALL=C sort |
        xargs sha256sum; sha256sum <"$gotools_root/test/lib/gotools.sh") | sha256sum | cut -c 1-16
}

# Sets and exports KUSTOMIZE, ISTIOCTL and XDS; true when they are there, built from what is here now.
gotools_home() {
    local folder
    folder=$gotools_root/.cache/go-tools/$(gotools_key)
    export KUSTOMIZE=$folder/kustomize ISTIOCTL=$folder/istioctl XDS=$folder/xds
    [ -x "$KUSTOMIZE" ] && [ -x "$ISTIOCTL" ] && [ -x "$XDS" ]
}

# Builds them under .cache/ unless they are there, and does gotools_home. Safe to call from several processes
# at once.
gotools_build() {
    local cache=$gotools_root/.cache
    mkdir -p "$cache" || return 1
    (
        flock 9
        gotools_home || gotools_compile "$cache"
    ) 9>"$cache/go-tools.lock" && gotools_home
}

gotools_compile() {
    local cache=$1 folder name
    gotools_go || return 1
    folder=$cache/go-tools/$(gotools_key)
    rm -rf "$cache/go-tools"
    mkdir -p "$folder" || return 1
    echo "building kustomize, istioctl and xds (once, some minutes)"
    if ! (cd "$gotools_root/test/kubeflow" && CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly \
        "$GO" build -buildvcs=false -gcflags='all=-N -l -dwarf=false' -ldflags='-s -w' -o "$folder/tools" ./tools) </dev/null >"$cache/go-tools.log" 2>&1 9>&-
    then
        echo "Go could not build test/kubeflow/tools:" >&2
        tail -n 15 "$cache/go-tools.log" >&2
        return 1
    fi
    for name in kustomize istioctl xds; do
        ln -s tools "$folder/$name" || return 1
    done
}
