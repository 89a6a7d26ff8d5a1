# shellcheck shell=sh
# The entrypoint's messages, and its end when settings are wrong.
# SPDX-License-Identifier: Apache-2.0

say() {
    printf 'keycloak-image: %s\n' "$1" >&2
}

warn() {
    say "warning: $1"
}

# wrong NAME WHY: reports a setting that cannot be used. All are reported before the end.
wrong() {
    name_of "$1"
    say "$name $2"
    faults=$((faults + 1))
}

# Another family of settings has other names for them.
name_of() {
    name=$1
}

# A value as it may be printed: printable, short. Never call it for a secret.
shown() {
    printf '%.80s' "$(printf '%s' "$1" | tr -c '[:print:]' '?')"
}

clean_up() {
    [ -z "$run" ] || rm -rf "$run"
}

end_of_faults() {
    [ "$faults" -gt 0 ] || return 0
    say "not started: the lines above without \"warning\" name what is missing or wrong ($faults)"
    clean_up
    exit 64
}
