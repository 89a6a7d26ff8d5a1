# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shell functions that bring npm's oidc-provider, an OpenID provider that is not Keycloak, onto this machine.
#
# To be sourced by bash, after packages.sh:
#   oidc_provider_packages && oidc_provider_fetch && oidc_provider_home
#
# package-lock.json pins each package by its checksum and names no registry: npm asks the one that it is set up for.
# Version 8.8.1 is the last that runs on Node.js 18 (Debian 12) as well as on 20 (Debian 13): from 9.0.0 on its
# library for tokens needs a global `crypto`, which 18 does not have.

oidc_provider_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
OIDC_PROVIDER_FILES=$oidc_provider_root/test/e2e/other_provider
OIDC_PROVIDER_NODE=18

# True when there is a `node` of a version that the provider runs on.
oidc_provider_node_suits() {
    local version
    version=$(node --version 2>/dev/null) && version=${version#v} && [ "${version%%.*}" -ge "$OIDC_PROVIDER_NODE" ]
}

# True when there are a node and an npm. Packages that are not Debian's have both under the name nodejs.
oidc_provider_programs() {
    command -v node >/dev/null && command -v npm >/dev/null
}

# Installs node and npm where one of them is missing.
oidc_provider_packages() {
    oidc_provider_programs || packages_need "oidc-provider runs on Node.js; npm fetches it" "${PACKAGES_NODE[@]}"
    if ! oidc_provider_programs || ! oidc_provider_node_suits; then
        echo "oidc-provider needs Node.js $OIDC_PROVIDER_NODE or later (package nodejs) and npm (package npm); PATH has" \
            "$(node --version 2>/dev/null || echo no node) and npm $(npm --version 2>/dev/null || echo not at all)" >&2
        return 1
    fi
}

# Sets and exports OIDC_PROVIDER_HOME; true when what the lock file names is there.
oidc_provider_home() {
    local sum
    sum=$(sha256sum <"$OIDC_PROVIDER_FILES/package-lock.json")
    OIDC_PROVIDER_HOME=$oidc_provider_root/.cache/oidc-provider-${sum:0:16}
    export OIDC_PROVIDER_HOME
    [ -e "$OIDC_PROVIDER_HOME/.ready" ]
}

# The packages under .cache/, each verified by npm. Safe to call from several processes at once.
oidc_provider_fetch() {
    mkdir -p "$oidc_provider_root/.cache" || return 1
    (
        flock 9
        oidc_provider_home || oidc_provider_download
    ) 9>"$oidc_provider_root/.cache/oidc-provider.lock"
}

oidc_provider_download() {
    local log=$OIDC_PROVIDER_HOME.log
    echo "fetching oidc-provider with npm (about 9 MB)"
    rm -rf "$OIDC_PROVIDER_HOME"
    mkdir -p "$OIDC_PROVIDER_HOME" || return 1
    cp "$OIDC_PROVIDER_FILES/package.json" "$OIDC_PROVIDER_FILES/package-lock.json" "$OIDC_PROVIDER_HOME" || return 1
    if ! (cd "$OIDC_PROVIDER_HOME" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier) \
        </dev/null >"$log" 2>&1 9>&-; then
        echo "npm could not fetch what test/e2e/other_provider/package-lock.json names:" >&2
        tail -n 15 "$log" >&2
        return 1
    fi
    touch "$OIDC_PROVIDER_HOME/.ready"
}
