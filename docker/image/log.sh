# shellcheck shell=sh
# LOG_FORMAT=json: all lines of stdout and stderr become JSON. SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154  # shared with the entrypoint

# json_log STREAM: awk between a pipe and the stream's own file, which is descriptor 4. It ends when
# nobody has the pipe open any more, and not by a signal: the last lines come after those.
json_log() {
    mkfifo "$pipes/$1" || exit 70
    (
        trap '' TERM INT HUP
        # shellcheck disable=SC2086  # two words, or none
        exec awk $interactive -v "stream=$1" -f "$conf/json.awk" <"$pipes/$1" >&4 4>&-
    ) &
    filters="$filters $!"
}

json_logs() {
    pipes=$(mktemp -d "$scratch/log.XXXXXX") || exit 70
    filters=
    # mawk reads whole blocks otherwise, and lines would come late.
    interactive=
    ! awk -W version </dev/null 2>&1 | grep -q '^mawk' || interactive='-W interactive'
    export TZ=UTC0 # httpd's lines do not tell their zone
    exec 4>&1
    json_log access
    exec >"$pipes/access" 4>&2
    json_log error
    exec 2>"$pipes/error" 4>&-
    rm -r "$pipes"
    trap json_logs_end EXIT
}

json_logs_end() {
    exec >&- 2>&-
    for filter in $filters; do
        wait "$filter"
    done
}
