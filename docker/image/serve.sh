# shellcheck shell=sh
# Runs httpd, passes signals on, and ends with it. SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154  # shared with the entrypoint

# The module's own lines name settings already; those of httpd, which parses lines, name directives.
name_settings() {
    awk -v "names=$conf/names-$family.conf" '
        BEGIN {
            while ((getline line <names) > 0) {
                if (split(line, words, /[ =]/) == 3)
                    name[words[2]] = words[3]
            }
        }
        {
            rest = $0
            out = ""
            while (match(rest, /[A-Za-z0-9_]+/)) {
                word = substr(rest, RSTART, RLENGTH)
                out = out substr(rest, 1, RSTART - 1) (word in name ? name[word] : word)
                rest = substr(rest, RSTART + RLENGTH)
            }
            print out rest
        }'
}

# Checks that only httpd and the module can do.
try_configuration() {
    exec 3>&-
    if ! "$httpd" -t -f "$conf/httpd.conf" >"$run/tried" 2>&1; then
        name_settings <"$run/tried" | sed 's/^/keycloak-image: httpd refuses: /' >&2
        clean_up
        exit 64
    fi
    rm -f "$run/tried"
}

# The first time: continue for a while, until gateways know, then finish requests in progress. The second
# time: end.
on_term() {
    if [ -n "$ending" ]; then
        ending=now
        kill -TERM "$child" 2>/dev/null
        # httpd itself would wait up to ten seconds for requests in progress.
        (
            sleep 1
            kill -s KILL -- "-$child" 2>/dev/null
        ) &
        return
    fi
    ending=yes
}

on_hup() {
    kill -USR1 "$child" 2>/dev/null
}

# wait returns early for each signal; processes that have ended are no longer waited for.
await() {
    while kill -0 "$1" 2>/dev/null; do
        wait "$1"
        status=$?
        [ -z "$ending" ] || [ -n "$drained" ] || return 0
    done
}

serve() {
    drained=
    status=0
    trap on_term TERM INT
    trap on_hup HUP
    # In a session of its own, so that a terminal's resizing (SIGWINCH) does not end it.
    setsid "$httpd" -DFOREGROUND -f "$conf/httpd.conf" &
    child=$!
    await "$child"
    if [ -n "$ending" ] && kill -0 "$child" 2>/dev/null; then
        say "ending: serving for $drain s more, then finishing what is under way"
        sleep "$drain" &
        sleeper=$!
        wait "$sleeper"
        kill "$sleeper" 2>/dev/null
        drained=yes
        # After a second SIGTERM it would make httpd graceful again.
        [ "$ending" = now ] || kill -WINCH "$child" 2>/dev/null
        await "$child"
        status=0
    fi
    clean_up
    exit "$status"
}
