# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shell functions that build Helm and hcldec, which reads Terraform's language, as a Go module of their own
# (test/kubeflow/helm), so that their dependencies do not meet those of kustomize and Istio.
#
# To be sourced by bash, after packages.sh and gotools.sh:
#   helm_build && helm_home

helm_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
# The version of Kubernetes that charts are rendered for where none is named, as Helm's own Makefile has it.
HELM_KUBERNETES=31

# What is built depends on these; its folder is named after them.
helm_key() {
    (cd "$helm_root" && sha256sum test/kubeflow/helm/go.mod test/kubeflow/helm/go.sum test/support/shell/helm.sh) |
        sha256sum | cut -c 1-16
}

# Sets and exports HELM and HCLDEC; true when they are there, built from what is here now.
helm_home() {
    local folder
    folder=$helm_root/.cache/helm/$(helm_key)
    export HELM=$folder/helm HCLDEC=$folder/hcldec
    [ -x "$HELM" ] && [ -x "$HCLDEC" ]
}

# Builds them under .cache/ unless they are there, and does helm_home. Safe to call from several processes at once.
helm_build() {
    local cache=$helm_root/.cache
    mkdir -p "$cache" || return 1
    (
        flock 9
        helm_home || helm_compile "$cache"
    ) 9>"$cache/helm.lock" && helm_home
}

helm_compile() {
    local cache=$1 folder version=helm.sh/helm/v3/pkg/chartutil.k8sVersion
    # gotools_build fetches a `go` that suits where there is none.
    gotools_go || { gotools_build && gotools_go; } || return 1
    folder=$cache/helm/$(helm_key)
    # Older ones may be in use by a run that began before.
    [ ! -d "$cache/helm" ] || find "$cache/helm" -mindepth 1 -maxdepth 1 -mmin +1440 -exec rm -rf {} +
    rm -rf "$folder"
    mkdir -p "$folder" || return 1
    echo "building helm and hcldec (once, some minutes)"
    if ! (cd "$helm_root/test/kubeflow/helm" && CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=readonly \
        env -u GOROOT "$GO" build -buildvcs=false -gcflags='all=-N -l -dwarf=false' -o "$folder/" \
        -ldflags="-s -w -X ${version}Major=1 -X ${version}Minor=$HELM_KUBERNETES" \
        helm.sh/helm/v3/cmd/helm github.com/hashicorp/hcl/v2/cmd/hcldec) </dev/null >"$cache/helm.log" 2>&1 9>&-
    then
        echo "Go could not build helm and hcldec:" >&2
        tail -n 15 "$cache/helm.log" >&2
        return 1
    fi
}
