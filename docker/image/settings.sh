# shellcheck shell=sh
# Checks the settings that all modes share, and passes them to httpd.
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034,SC2154  # shared with the entrypoint

# ---------------- To httpd

# A private folder for files that httpd and this script write.
make_run() {
    if ! run=$(mktemp -d "$scratch/keycloak-image.XXXXXX" 2>/dev/null); then
        run=
        wrong KC_RUN "($(shown "$scratch")) cannot be written: mount an emptyDir at /tmp"
        end_of_faults
    fi
    exec 3>"$run/settings.conf"
}

# put DIRECTIVE VALUE...: writes a line of configuration that names variables, and sets them. httpd inserts
# the values before it parses the line, so they are quoted.
put() {
    directive=$1
    line=$1
    shift
    for value; do
        count=$((count + 1))
        quoted "$value"
        export "KCI_${directive}_$count=$quoted"
        line="$line \"\${KCI_${directive}_$count}\""
    done
    # httpd drops an empty last argument, but not one that is followed by another.
    [ "$directive" != KeycloakUserTransform ] || line="$line \"\""
    printf '%s\n' "$line" >&3
}

quoted() {
    case $1 in
        *[\\\"]*) quoted=$(printf '%s' "$1" | sed 's/[\\"]/\\&/g') ;;
        *) quoted=$1 ;;
    esac
}

# turn_on NAME: defines NAME for <IfDefine NAME> in the conf files.
turn_on() {
    printf 'Define %s\n' "$1" >&3
}

# ---------------- Questions

# A value from a file or a pipe often ends with a newline. Sets `trimmed`.
trim() {
    trimmed=$1
    while :; do
        case $trimmed in
            [[:space:]]*) trimmed=${trimmed#?} ;;
            *[[:space:]]) trimmed=${trimmed%?} ;;
            *) break ;;
        esac
    done
}

has_control() {
    case $1 in
        *[[:cntrl:]]*) return 0 ;;
    esac
    return 1
}

# Only letters, digits and the characters that an address may have.
is_url() {
    case $1 in
        *[!A-Za-z0-9:/?\&=%._~+,\;!\$\'\(\)*\[\]-]*) return 1 ;;
        http://[!/?:]* | https://[!/?:]*) return 0 ;;
    esac
    return 1
}

is_path() {
    case $1 in
        *[!A-Za-z0-9:/?\&=%._~+,\;!\$\'\(\)*@-]* | //* | *..*) return 1 ;;
        /*) return 0 ;;
    esac
    return 1
}

is_header() {
    case $1 in
        '' | *[!A-Za-z0-9_-]*) return 1 ;;
    esac
    return 0
}

is_number() {
    case $1 in
        '' | *[!0-9]* | ??????????*) return 1 ;;
    esac
    return 0
}

is_loopback() {
    case $1 in
        http*://localhost | http*://localhost[:/]* | http*://127.* | http*://\[::1\]*) return 0 ;;
    esac
    return 1
}

# origin_of URL: sets `origin`, scheme://host[:port].
origin_of() {
    origin=${1#*://}
    origin=${1%%://*}://${origin%%[/?]*}
}

quotes_hint() {
    case $1 in
        \"*\" | \'*\') printf '%s' '; the quotes are part of the value: kustomize keeps those of .env files' ;;
    esac
}

# ---------------- One setting: NAME DEFAULT. Each leaves the value in `value`; 1 when it is wrong.

# must_be NAME WHAT: `value` is none.
must_be() {
    wrong "$1" "must be $2, not '$(shown "$value")'$(quotes_hint "$value")"
    return 1
}

# Set but empty counts as not set.
setting() {
    eval "value=\${$1:-}"
    trim "$value"
    value=${trimmed:-$2}
}

setting_text() {
    setting "$1" "$2"
    has_control "$value" || return 0
    wrong "$1" "has a newline or another control character"
    return 1
}

setting_url() {
    setting "$1" "$2"
    [ -z "$value" ] || is_url "$value" || must_be "$1" "a whole URL such as https://host.example.com"
}

setting_location() {
    setting "$1" "$2"
    [ -z "$value" ] || is_url "$value" || is_path "$value" || must_be "$1" "a URL or a path that begins with one slash"
}

setting_header() {
    setting "$1" "$2"
    [ -z "$value" ] || is_header "$value" || must_be "$1" "a header's name (letters, digits, hyphens)"
}

# setting_number NAME DEFAULT MIN MAX
setting_number() {
    setting "$1" "$2"
    is_number "$value" && [ "$value" -ge "$3" ] && [ "$value" -le "$4" ] && return 0
    must_be "$1" "a number from $3 to $4"
}

# Accepts Go's spellings; `value` becomes on or off.
setting_flag() {
    setting "$1" "$2"
    case $value in
        1 | t | T | TRUE | true | True | on) value=on ;;
        0 | f | F | FALSE | false | False | off) value=off ;;
        *)
            must_be "$1" "true or false"
            return 1
            ;;
    esac
    return 0
}

# put_words DIRECTIVE VALUE SEPARATORS: the words of a list as one line.
put_words() {
    words_directive=$1
    words=$2
    saved=$IFS
    IFS=$3
    # shellcheck disable=SC2086  # to be split; set -f prevents file names
    set -- $words
    IFS=$saved
    [ $# -eq 0 ] || put "$words_directive" "$@"
}

lists='
	 ,'

# ---------------- Secrets

# secret NAME DIRECTIVE: from NAME or NAME_FILE; never prints its value.
secret() {
    eval "value=\${$1:-} file=\${$1_FILE:-}"
    if [ -n "$value" ] && [ -n "$file" ]; then
        wrong "$1" "and $1_FILE are both set: leave one out"
    elif [ -n "$file" ]; then
        if private_file "$1_FILE" "$file"; then
            put "$2" "file:$file"
        fi
    elif [ -n "$value" ]; then
        trim "$value"
        if has_control "$trimmed"; then
            wrong "$1" "has a newline or another control character inside"
        else
            export "$1=$trimmed"
            put "$2" "env:$1"
        fi
    else
        return 1
    fi
    return 0
}

# private_file NAME PATH: can be read by us, and not by others.
private_file() {
    case $2 in
        /*) ;;
        *)
            wrong "$1" "must be an absolute path, not '$(shown "$2")'"
            return 1
            ;;
    esac
    if ! [ -f "$2" ] || ! [ -r "$2" ]; then
        wrong "$1" "($(shown "$2")) is no file that uid $(id -u) can read"
        return 1
    fi
    case $(stat -L -c %A "$2") in
        *---) return 0 ;;
    esac
    wrong "$1" "($(shown "$2")) can be read or written by others: mount it with defaultMode: 0440 and set fsGroup"
    return 1
}

# ---------------- Settings of all modes

# The key that seals sessions.
settings_key() {
    key=${CRYPTO_KEY:-}
    files=${CRYPTO_KEY_FILE:-}
    if [ -n "$key" ] && [ -n "$files" ]; then
        wrong CRYPTO_KEY "and CRYPTO_KEY_FILE are both set: leave one out"
    elif [ -n "$files" ]; then
        saved=$IFS
        IFS=$lists
        # shellcheck disable=SC2086  # several files, newest first
        set -- $files
        IFS=$saved
        words=
        for file; do
            private_file CRYPTO_KEY_FILE "$file" && words="$words file:$file"
        done
        put_words KeycloakCryptoKey "$words" ' '
    elif [ -n "$key" ]; then
        trim "$key"
        if has_control "$trimmed" || [ ${#trimmed} -lt 32 ]; then
            wrong CRYPTO_KEY "must be one line of 32 characters or more (openssl rand -base64 48)"
        else
            printf '%s\n' "$trimmed" >"$run/crypto-key"
            put KeycloakCryptoKey "file:$run/crypto-key"
        fi
        # httpd and its children no longer need it.
        unset CRYPTO_KEY
    else
        return 1
    fi
    return 0
}

# A key that lasts as long as this container, as its sessions do.
made_key() {
    head -c 48 /dev/urandom | base64 -w 0 >"$run/crypto-key"
    put KeycloakCryptoKey "file:$run/crypto-key"
}

settings_store() {
    has_key=no
    settings_key && has_key=yes
    setting_text MEMCACHED_SERVERS '' || return 0
    if [ -z "$value" ]; then
        warn "MEMCACHED_SERVERS is not set: sessions are kept in this container's memory, so that there can be one replica alone, and a restart signs everybody out"
        [ $has_key = yes ] || made_key
        return 0
    fi
    case $value in
        *[!A-Za-z0-9.:_,\ \[\]-]*)
            wrong MEMCACHED_SERVERS "must be HOST:PORT, separated by spaces or commas, not '$(shown "$value")'"
            return 0
            ;;
    esac
    put_words KeycloakMemcached "$value" "$lists"
    [ $has_key = yes ] ||
        wrong CRYPTO_KEY_FILE "is missing: with MEMCACHED_SERVERS every replica needs the same key (CRYPTO_KEY_FILE or CRYPTO_KEY)"
    if secret MEMCACHED_PASSWORD KeycloakMemcachedPassword; then
        setting_text MEMCACHED_USER '' && [ -n "$value" ] && put KeycloakMemcachedUser "$value"
    fi
    return 0
}

# listen NAME DEFAULT: a port, as ${KCI_NAME} in the conf files.
# Kubernetes gives such a name to the address of a Service that is called so (tcp://…).
listen() {
    setting "$1" "$2"
    case $value in
        tcp://* | udp://* | sctp://*) unset "$1" ;;
    esac
    setting_number "$1" "$2" 1 65535 || return 0
    while case $value in 0*) ;; *) false ;; esac; do
        value=${value#0}
    done
    export "KCI_$1=$value"
    is_free_port "$1" "$value"
    ports="$ports$1=$value "
}

# is_free_port NAME PORT: nothing else in the container has it.
is_free_port() {
    case $ports in
        *"=$2 "*) ;;
        *) return 0 ;;
    esac
    other=${ports%%"=$2 "*}
    name_of "${other##* }"
    cure="give each a port of its own"
    [ "$1" != METRICS_PORT ] || cure="$cure, or set METRICS_PORT=off"
    wrong "$1" "($2) is the port of $name too: $cure"
}

# The port of the metrics; off: none.
listen_metrics() {
    export "KCI_METRICS_ADDRESS=${metrics_address-${KCI_ADDRESS:-}}"
    setting METRICS_PORT 9090
    [ "$value" != off ] || return 0
    listen METRICS_PORT 9090
    turn_on KCI_METRICS
}

settings_log() {
    setting LOG_LEVEL INFO
    case $value in
        FATAL) level='crit' ;;
        ERROR) level='error' ;;
        WARN) level='warn' ;;
        INFO) level='notice auth_keycloak:info' ;;
        DEBUG) level='info auth_keycloak:debug' ;;
        *)
            must_be LOG_LEVEL "FATAL, ERROR, WARN, INFO or DEBUG"
            return 0
            ;;
    esac
    setting LOG_FORMAT text
    case $value in
        text) ;;
        json) turn_on KCI_LOG_JSON ;;
        *) must_be LOG_FORMAT "text or json" ;;
    esac
    # Fixed words, no value.
    printf 'LogLevel %s\n' "$level" >&3
    setting_flag ACCESS_LOG false && [ "$value" = on ] && turn_on KCI_ACCESS_LOG
    return 0
}

# Client authentication with a secret; methods that need a key are not supported.
settings_client() {
    setting CLIENT_AUTH client_secret_basic
    case $value in
        client_secret_basic | client_secret_post | client_secret_jwt) put KeycloakClientAuth "$value" ;;
        *) must_be CLIENT_AUTH "client_secret_basic, client_secret_post or client_secret_jwt" ;;
    esac
    method=$value
    setting CLIENT_AUTH_ALGORITHM ''
    case $value in
        '') return 0 ;;
        HS256 | HS384 | HS512) put KeycloakClientAuthAlgorithm "$value" ;;
        *)
            must_be CLIENT_AUTH_ALGORITHM "HS256, HS384 or HS512"
            return 0
            ;;
    esac
    [ "$method" = client_secret_jwt ] ||
        warn "CLIENT_AUTH_ALGORITHM counts only with CLIENT_AUTH=client_secret_jwt"
}

settings_addresses() {
    setting SERVER_HOSTNAME ''
    case $value in
        '') export KCI_ADDRESS='' ;;
        *[!A-Za-z0-9.:\[\]-]*) wrong SERVER_HOSTNAME "must be an address to listen at, not '$(shown "$value")'" ;;
        *) export "KCI_ADDRESS=$value:" ;;
    esac
    setting_number DRAIN_SECONDS 5 0 300 && drain=$value
    setting_url BACKCHANNEL_URL '' && [ -n "$value" ] && put KeycloakBackchannelURL "$value"
    setting_text ENDPOINT_ORIGINS '' && put_words KeycloakEndpointOrigins "$value" "$lists"
    setting_text TRUSTED_PROXIES '' && put_words KeycloakTrustedProxy "$value" "$lists"
    setting CACHE_SIZE 16M
    case $value in
        *[!0-9KMG]*) wrong CACHE_SIZE "must be a size such as 64M, not '$(shown "$value")'" ;;
        *) put KeycloakCacheSize "$value" ;;
    esac
    setting CA_BUNDLE ''
    case $value in
        '') ;;
        /*)
            if [ -f "$value" ] && [ -r "$value" ] && ! has_control "$value"; then
                put KeycloakCAFile "$value"
            else
                wrong CA_BUNDLE "($(shown "$value")) is no file that uid $(id -u) can read"
            fi
            ;;
        *) wrong CA_BUNDLE "must be an absolute path, not '$(shown "$value")'" ;;
    esac
}

# Paths whose requests get 401 without a session, never a redirect: regular expressions between
# `route_separator`. Gateways may not show the judge the headers that tell scripts from pages.
settings_routes() {
    : >"$run/routes.conf"
    saved=$IFS
    IFS=${route_separator:-,}
    # shellcheck disable=SC2086  # a list
    set -- ${API_ROUTES:-}
    IFS=$saved
    for route; do
        trim "$route"
        [ -n "$trimmed" ] || continue
        printf '' | grep -qP -e "$trimmed" 2>/dev/null
        if [ $? -gt 1 ] || has_control "$trimmed"; then
            wrong API_ROUTES "must be regular expressions, not '$(shown "$trimmed")'"
            continue
        fi
        count=$((count + 1))
        quoted "$trimmed"
        export "KCI_API_ROUTE_$count=$quoted"
        # shellcheck disable=SC2016  # httpd puts the value in
        printf '<LocationMatch "${KCI_API_ROUTE_%s}">\n    KeycloakUnauth 401\n</LocationMatch>\n' "$count" >>"$run/routes.conf"
    done
    [ ! -s "$run/routes.conf" ] || turn_on KCI_API_ROUTES
}

settings_common() {
    ports=' '
    unset metrics_address
    export KC_IMAGE_CONF="$conf" KCI_MODULE="$module" KCI_RUN="$run"
    export KCI_MODULES="${KC_HTTPD_MODULES:-/usr/lib/apache2/modules}"
    [ -r "$module" ] || wrong KC_MODULE "($(shown "$module")) cannot be read"
    [ -x "$httpd" ] || wrong KC_HTTPD "($(shown "$httpd")) is no program"
    if [ "$(id -u)" = 0 ]; then
        warn "this runs as root: set runAsNonRoot; httpd's children change to www-data"
        turn_on KCI_ROOT
    fi
    settings_log
    settings_client
    settings_addresses
    settings_store
}
