# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Names the Debian packages that each part of the project needs and installs the missing ones.
#
# Sourced by bash scripts:
#   . test/support/shell/packages.sh
#   packages_need "the build" "${PACKAGES_BUILD[@]}"
#
# A row is a package name, or `a|b` where either will do; the first that apt knows is installed. The last is a name
# that every release has: it is the one to tell where apt has no lists yet.

# shellcheck disable=SC2034  # the arrays are for the scripts that source this file
{
PACKAGES_BUILD=(
    gcc libc6-dev make autoconf 'pkgconf|pkg-config' apache2-dev libapr1-dev libaprutil1-dev libssl-dev
    'libcurl4-openssl-dev|libcurl4-gnutls-dev' libjansson-dev libcjose-dev zlib1g-dev libmemcached-dev
)
# to fetch and compile Debian's source of APR (apr_debug.sh)
PACKAGES_APR_DEBUG=(apt dpkg-dev gcc libc6-dev make 'pkgconf|pkg-config' libapr1-dev uuid-dev patch xz-utils bzip2 util-linux
    diffutils)
PACKAGES_LINT=('clang-14|clang' 'clang-tidy-14|clang-tidy' cppcheck binutils git python3 python3-pip shellcheck apache2)
PACKAGES_UNIT=(check memcached ca-certificates "${PACKAGES_APR_DEBUG[@]}")
PACKAGES_COVERAGE=(gcc gcovr python3)
PACKAGES_FUZZ=('clang-14|clang' 'libclang-rt-14-dev|libclang-rt-dev')
PACKAGES_HOSTILE=(apache2 python3 python3-jwcrypto procps "${PACKAGES_APR_DEBUG[@]}")
PACKAGES_T=(apache2 libapache2-mod-perl2 libwww-perl python3 python3-jwcrypto python3-h2 curl
    memcached openssl sasl2-bin libsasl2-modules)
PACKAGES_KEYCLOAK=('openjdk-17-jre-headless|openjdk-21-jre-headless|openjdk-25-jre-headless|default-jre-headless' maven unzip ca-certificates)
PACKAGES_E2E=("${PACKAGES_KEYCLOAK[@]}" apache2 memcached sasl2-bin libsasl2-modules curl openssl python3 python3-pip python3-pytest python3-pytest-xdist python3-yaml
    procps nginx-light caddy haproxy libnginx-mod-http-set-misc)
PACKAGES_DEMO=("${PACKAGES_KEYCLOAK[@]}" apache2 memcached curl python3 python3-pip python3-yaml procps)
PACKAGES_IMAGE=(apache2-bin buildah netavark debootstrap git curl memcached procps python3 python3-pip python3-pytest python3-venv python3-yaml
    python3-jwcrypto util-linux prometheus)
PACKAGES_PACKAGES=(python3 python3-pytest python3-pip python3-venv python3-yaml check memcached ca-certificates man-db groff-base mandoc bsdextrautils debhelper dpkg-dev fakeroot lintian binutils
    debootstrap util-linux python3-jwcrypto openssl rpm rpmlint cpio apache2-bin)
PACKAGES_KUBEFLOW=("${PACKAGES_KEYCLOAK[@]}" apache2 memcached openssl python3 python3-pip python3-pytest python3-venv python3-yaml
    python3-jwcrypto)
# a Go of any version fetches the one that is needed (gotools.sh)
PACKAGES_GO=(golang-go ca-certificates)
# where there is no node or no npm, of whatever origin (oidc_provider.sh)
PACKAGES_NODE=(nodejs npm)
PACKAGES_CHAOS=(apache2 memcached nginx-light wrk libfaketime iproute2 procps util-linux curl python3 python3-jwcrypto python3-pip python3-yaml)
PACKAGES_BENCH=(apache2 libapache2-mod-auth-openidc memcached nginx-light wrk valgrind curl python3 python3-jwcrypto
    redis-server git python3-pip unzip)
}

# Is one package (no alternatives) installed?
packages_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Ends the calling script with a message on what to do by hand.
packages_fail() {
    printf '%s\n' "packages: $1" >&2
    shift
    printf 'packages: install by hand, then run this again:\n    apt-get install %s\n' "$*" >&2
    exit 1
}

# Has apt a version of this package that it can install, by the lists that it has now?
packages_known() {
    LC_ALL=C apt-cache policy "$1" 2>/dev/null | grep -q '^  Candidate: [^(]'
}

# Of a row's alternatives the first that apt can install; the last of all when it knows none.
packages_choose() {
    local name
    for name in ${1//|/ }; do
        if packages_known "$name"; then
            echo "$name"
            return 0
        fi
    done
    echo "${1##*|}"
}

# packages_need WHY PACKAGE...: installs those that are missing, having said which and why; ends the
# script when that cannot be done. Nothing happens, and nothing is printed, when all are there.
packages_need() {
    local why="$1" row name found log
    local -a chosen=()
    local -a missing=() as_root=()
    shift
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        packages_fail "this system has no apt; $why needs these packages, whatever their names are here" \
            "${@##*|}"
    fi
    for row in "$@"; do
        found=no
        for name in ${row//|/ }; do
            if packages_installed "$name"; then
                found=yes
                break
            fi
        done
        if [ "$found" = no ] && [[ " ${missing[*]} " != *" $row "* ]]; then
            missing+=("$row")
        fi
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    for row in "${missing[@]}"; do
        chosen+=("$(packages_choose "$row")")
    done
    printf 'packages: %s needs %s; installing with apt-get\n' "$why" "${chosen[*]}"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null ||
            packages_fail "not root, and sudo is not installed" "${chosen[@]}"
        if [ -t 0 ]; then
            as_root=(sudo)
        else
            as_root=(sudo -n)
        fi
    fi
    log=$(mktemp "${TMPDIR:-/tmp}/packages.XXXXXX") || exit 1
    # The lock time-out lets a second apt on the same machine finish first.
    if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -o DPkg::Lock::Timeout=600 update >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        printf 'packages: apt-get update failed; trying with the lists that are here\n' >&2
    fi
    # Which of two alternatives exists can be told only now, with fresh lists.
    for row in "${!missing[@]}"; do
        missing[row]=$(packages_choose "${missing[row]}")
    done
    [ "${missing[*]}" = "${chosen[*]}" ] || printf 'packages: here these are %s\n' "${missing[*]}"
    if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=600 \
        install "${missing[@]}" >"$log" 2>&1 </dev/null; then
        tail -n 30 "$log" >&2
        rm -f "$log"
        packages_fail "apt-get could not install what $why needs (its last lines are above)" "${missing[@]}"
    fi
    rm -f "$log"
    for name in "${missing[@]}"; do
        # A virtual package counts when another one provides it; apt-get has just said yes.
        packages_installed "$name" || dpkg-query -W -f '${Provides}\n' 2>/dev/null | grep -qw -- "$name" ||
            packages_fail "apt-get said that it installed $name, but it is not there" "$name"
    done
}
