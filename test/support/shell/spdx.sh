# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A shell function that brings spdx-tools onto this machine, which validates SBOMs, in a Python environment of its own.
#
# To be sourced by bash, from the project's root:
#   spdx_fetch && "$SPDX_PYTHON" -m spdx_tools.spdx.clitools.pyspdxtools -i FILE

# Sets and exports SPDX_PYTHON, which works also when the folder is seen under another path. Makes the environment anew when
# the list of its packages has changed. Safe to call from several processes at once.
spdx_fetch() {
    local cache=$PWD/.cache/spdx-tools list=$PWD/test/packages/requirements.txt
    export SPDX_PYTHON=$cache/bin/python3
    mkdir -p "$PWD/.cache" || return 1
    (
        flock 9
        cmp -s "$list" "$cache/requirements.txt" && exit 0
        rm -rf "$cache"
        /usr/bin/python3 -m venv --system-site-packages "$cache" && "$cache/bin/pip" install -q --disable-pip-version-check \
            --require-hashes --only-binary :all: --no-deps -r "$list" 9>&- && cp "$list" "$cache/requirements.txt"
    ) 9>"$cache.lock" </dev/null
}
