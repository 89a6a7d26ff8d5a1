#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes ./configure from configure.ac; needs autoconf and pkg-config's pkg.m4 (Debian: autoconf pkgconf).
set -eu
cd "$(dirname "$0")"

if ! command -v autoconf >/dev/null; then
    echo "autogen.sh: autoconf is missing; Debian has it: apt-get install autoconf pkgconf" >&2
    exit 1
fi

# configure.ac asks pkg-config itself, so that it can list everything that is missing at once. So it
# needs no macro from pkg.m4.
autoconf --warnings=all
rm -rf autom4te.cache configure~
echo "autogen.sh: made ./configure; now: ./configure && make"
