# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shell functions that build the judges which ours is compared with, from their source, into .cache/bench-tools.
#
# To be sourced by bash:
#   peers_fetch     sets and exports OAUTH2_PROXY and OIDC_AUTHSERVICE, each the path of a program, or, where one
#                   cannot be built, leaves it empty and says why in OAUTH2_PROXY_MISSING, OIDC_AUTHSERVICE_MISSING
#
# OIDC_AUTHSERVICE_GIT: another place that has the commit of oidc-authservice's repository.

peers_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
OAUTH2_PROXY_VERSION=v7.15.6
OIDC_AUTHSERVICE_COMMIT=0c4ea9aa5e962c7f946c1acb65cfae3b0f604817
OIDC_AUTHSERVICE_GIT=${OIDC_AUTHSERVICE_GIT:-https://github.com/arrikto/oidc-authservice}

peers_fetch() {
    local tools=$peers_root/.cache/bench-tools
    mkdir -p "$tools" || return 1
    # Folders whose names tell what is in them.
    OAUTH2_PROXY=$tools/oauth2-proxy-$OAUTH2_PROXY_VERSION/oauth2-proxy
    OIDC_AUTHSERVICE=$tools/oidc-authservice-${OIDC_AUTHSERVICE_COMMIT:0:12}/oidc-authservice
    OAUTH2_PROXY_MISSING=
    OIDC_AUTHSERVICE_MISSING=
    exec 8>"$tools/lock"
    flock 8
    [ -x "$OAUTH2_PROXY" ] || peers_try "$OAUTH2_PROXY" peers_oauth2_proxy || {
        OAUTH2_PROXY_MISSING=$(peers_reason "$OAUTH2_PROXY")
        OAUTH2_PROXY=
    }
    [ -x "$OIDC_AUTHSERVICE" ] || peers_try "$OIDC_AUTHSERVICE" peers_oidc_authservice || {
        OIDC_AUTHSERVICE_MISSING=$(peers_reason "$OIDC_AUTHSERVICE")
        OIDC_AUTHSERVICE=
    }
    exec 8>&-
    export OAUTH2_PROXY OAUTH2_PROXY_MISSING OIDC_AUTHSERVICE OIDC_AUTHSERVICE_MISSING
}

# peers_try PROGRAM FUNCTION: the function's output is PROGRAM's log.
peers_try() {
    local folder=${1%/*}
    rm -rf "$folder" "$folder.log"
    echo "bench: building ${1##*/}, once (a few minutes)"
    mkdir -p "$folder" && "$2" "$folder" >"$folder.log" 2>&1 </dev/null 8>&- && [ -x "$1" ] && return 0
    rm -rf "$folder"
    return 1
}

# The last thing that was said, in one line.
peers_reason() {
    local said
    said=$(grep -v '^go: downloading' "${1%/*}.log" | tail -n 1 | tr -cd '[:print:]')
    printf '%.160s' "${said:-it could not be built}"
}

peers_go() {
    local go
    go=$(command -v go) || go=/usr/local/go/bin/go
    [ -x "$go" ] || { echo "there is no Go (https://go.dev/dl/)"; return 1; }
    GOBIN='' timeout -k 10 900 "$go" "$@"
}

peers_oauth2_proxy() {
    local module=github.com/oauth2-proxy/oauth2-proxy/v7@$OAUTH2_PROXY_VERSION folder
    folder=$(peers_go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    if [ -z "$folder" ]; then
        echo "Go does not get $module"
        return 1
    fi
    peers_go -C "$folder" build -o "$1/oauth2-proxy" .
}

peers_oidc_authservice() {
    git init -q "$1/source" || return 1
    if ! timeout -k 10 300 git -C "$1/source" fetch -q --depth 1 "$OIDC_AUTHSERVICE_GIT" "$OIDC_AUTHSERVICE_COMMIT"; then
        echo "$OIDC_AUTHSERVICE_GIT does not give the commit ${OIDC_AUTHSERVICE_COMMIT:0:12}"
        return 1
    fi
    git -C "$1/source" checkout -q FETCH_HEAD &&
        peers_go -C "$1/source" build -buildvcs=false -o "$1/oidc-authservice" . && mv "$1/source/web" "$1/web" &&
        rm -rf "$1/source"
}
