# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Shell functions that make the file system of a small Debian by debootstrap, from the mirrors of this machine's apt.
#
# To be sourced by bash, as root:
#   debian_root_base bookworm FILE

# SITE and SUITE of Debian's own sources, as apt knows them.
debian_root_known() {
    # shellcheck disable=SC2016  # apt fills these in
    apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        sed -n 's/^Debian \(.*\) main$/\1/p' | sort -u
}

# The same of the release $1; where apt knows another release alone, by the sites that it has that one from.
debian_root_sources() {
    if debian_root_known | grep -q " $1\$"; then
        debian_root_known | grep " $1"
    else
        debian_root_known | sed "s/ [^ -]*\\([^ ]*\\)\$/ $1\\1/" | sort -u
    fi
}

# A tar file $2 of the release $1 (debootstrap's minbase), kept for a week: security updates come in then. Safe to call
# from several processes at once.
debian_root_base() {
    mkdir -p "$(dirname "$2")" || return 1
    (
        flock 9
        [ -n "$(find "$2" -mtime -7 2>/dev/null)" ] || debian_root_make "$1" "$2"
    ) 9>"$2.lock"
}

debian_root_make() {
    local suite=$1 file=$2 tree mirror
    mirror=$(debian_root_sources "$suite" | sed -n "s| $suite\$||p" | head -n 1)
    [ -n "$mirror" ] || { echo "apt knows no mirror of Debian" >&2; return 1; }
    tree=$(mktemp -d "${TMPDIR:-/tmp}/debian-root.XXXXXX") || return 1
    if ! debootstrap --variant=minbase "$suite" "$tree/debian" "$mirror" >"$file.log" 2>&1 9>&-; then
        tail -n 20 "$file.log" >&2
        rm -rf "$tree"
        return 1
    fi
    debian_root_sources "$suite" | sed 's/.*/deb & main/' >"$tree/debian/etc/apt/sources.list"
    rm -rf "$tree"/debian/var/cache/apt/archives/*.deb "$tree"/debian/var/lib/apt/lists/* "$tree"/debian/var/log/*
    : >"$tree/debian/etc/machine-id"
    tar -C "$tree/debian" --sort=name --numeric-owner --one-file-system -cf "$file.new" . && mv "$file.new" "$file"
    rm -rf "$tree"
}
