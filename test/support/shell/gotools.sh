# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shell functions that build the Go programs of the tests for Kubeflow: kustomize, istioctl, and Istio's
# control plane for a gateway without a cluster (xds), as one binary under three names.
#
# To be sourced by bash, after packages.sh:
#   gotools_build && gotools_home

gotools_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
GOTOOLS_GO=1.26.8
# amd64, arm64
GOTOOLS_GO_SUMS="h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=
h1:sYL/O6MqS68ML0kjsQ36WoYIpJqkw60TxizWUYUKQMc="

# The newest minor version of Go that the dependencies ask for (go.mod).
gotools_wanted() {
    sed -n 's/^go 1\.\([0-9]*\).*/\1/p' "$gotools_root/test/kubeflow/go.mod"
}

# Any `go`, of whatever version: true when there is one.
gotools_some_go() {
    command -v go >/dev/null || [ -x /usr/local/go/bin/go ]
}

# Sets GO to a `go` that suits: the one of the PATH, where Go's own archives put it, or what gotools_go_fetch left.
gotools_go() {
    local candidate version wanted
    wanted=$(gotools_wanted)
    for candidate in go /usr/local/go/bin/go "$gotools_root/.cache/go-$GOTOOLS_GO/bin/go"; do
        version=$(GOTOOLCHAIN=local "$candidate" version 2>/dev/null | sed -n 's/^go version go1\.\([0-9]*\).*/\1/p')
        if [ -n "$version" ] && [ "$version" -ge "$wanted" ]; then
            GO=$candidate
            return 0
        fi
    done
    return 1
}

# Go of the pinned version under the cache folder $1: what Debian has is older. Go's versions are modules too, which
# every `go` since 1.16 can fetch, and which it verifies by Go's own list of checksums.
gotools_go_fetch() {
    local cache=$1 go=go modules=$1/go-modules module version sum log=$1/go.log
    gotools_some_go || packages_need "compiling kustomize and Istio's control plane" "${PACKAGES_GO[@]}"
    command -v go >/dev/null || go=/usr/local/go/bin/go
    module=golang.org/toolchain
    version=v0.0.1-go$GOTOOLS_GO.linux-$("$go" env GOARCH)
    echo "fetching Go $GOTOOLS_GO (about 70 MB): go.mod asks for 1.$(gotools_wanted) or later"
    rm -rf "$modules" "$cache/go-$GOTOOLS_GO"
    if ! (cd "$cache" && env -u GOROOT GO111MODULE=on GOTOOLCHAIN=local GOFLAGS=-modcacherw GOMODCACHE="$modules" \
        "$go" mod download -json "$module@$version") </dev/null >"$log" 2>&1 9>&-; then
        echo "Go could not fetch $module@$version; Go 1.$(gotools_wanted) or later in the PATH or in /usr/local/go will do too:" >&2
        tail -n 15 "$log" >&2
        return 1
    fi
    version=$modules/$module@$version
    sum=$(sed -n 's/.*"Sum": *"\(.*\)".*/\1/p' "$log")
    if [ -z "$sum" ] || [[ $'\n'$GOTOOLS_GO_SUMS$'\n' != *$'\n'"$sum"$'\n'* ]]; then
        echo "$version is none of the modules that test/support/shell/gotools.sh names (the sum differs):" >&2
        cat "$log" >&2
        return 1
    fi
    # a module's files have no mode; Go sets it since 1.21
    find "$version/bin" "$version/pkg/tool" -type f -exec chmod +x {} + &&
        mv "$version" "$cache/go-$GOTOOLS_GO" && rm -rf "$modules"
}

# What is built depends on these; its folder is named after them.
gotools_key() {
    (cd "$gotools_root/test/kubeflow" && find go.mod go.sum tools xds -type f -not -name '*_test.go' | LC_ALL=C sort |
        xargs sha256sum; sha256sum <"$gotools_root/test/support/shell/gotools.sh") | sha256sum | cut -c 1-16
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
    gotools_go || { gotools_go_fetch "$cache" && gotools_go; } || return 1
    folder=$cache/go-tools/$(gotools_key)
    rm -rf "$cache/go-tools"
    mkdir -p "$folder" || return 1
    echo "building kustomize, istioctl and xds (once, some minutes)"
    if ! (cd "$gotools_root/test/kubeflow" && CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly \
        env -u GOROOT "$GO" build -buildvcs=false -gcflags='all=-N -l -dwarf=false' -ldflags='-s -w' -o "$folder/tools" ./tools) </dev/null >"$cache/go-tools.log" 2>&1 9>&-
    then
        echo "Go could not build test/kubeflow/tools:" >&2
        tail -n 15 "$cache/go-tools.log" >&2
        return 1
    fi
    for name in kustomize istioctl xds; do
        ln -s tools "$folder/$name" || return 1
    done
}
