# shellcheck shell=sh
# The words `check` and `dump` in place of a start: what httpd -t can tell of these settings.
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154  # shared with the entrypoint

# take_task WORD: sets `task` to it when it is one; else to nothing.
take_task() {
    task=
    case ${1:-} in
        check | dump) task=$1 ;;
    esac
}

# Prints to stdout, and ends: 0 when nothing has failed, 1 when something has, 64 for settings that
# httpd does not accept. What httpd logs while it asks goes to stderr.
ask() {
    define=KEYCLOAK_CHECK
    [ "$task" = check ] || define=DUMP_KEYCLOAK
    status=0
    "$httpd" -t -D "$define" -f "$conf/httpd.conf" 2>"$run/said" || status=1
    name_settings <"$run/said" | grep -v '^Syntax OK$' >&2
    clean_up
    exit "$status"
}
