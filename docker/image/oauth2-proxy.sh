# shellcheck shell=sh
# The settings of oauth2-proxy, as in Kubeflow's deployment: translated into those of oidc-authservice.
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034,SC2154  # shared with the entrypoint

# shellcheck source=/dev/null  # linted by itself
. "$conf/authservice.sh" || exit 70

known=
from_file=
line_break='
'

# Error messages name what the administrator has written.
name_of() {
    name=$1
    case $1 in
        OIDC_PROVIDER) name=OAUTH2_PROXY_OIDC_ISSUER_URL ;;
        SERVER_PORT) [ -z "${OAUTH2_PROXY_HTTP_ADDRESS:-}" ] || name=OAUTH2_PROXY_HTTP_ADDRESS ;;
        CLIENT_ID | CLIENT_SECRET | CLIENT_SECRET_FILE | REDIRECT_URL) name=OAUTH2_PROXY_$1 ;;
        OIDC_AUTH_URL) name=OAUTH2_PROXY_LOGIN_URL ;;
        OIDC_SCOPES) name=OAUTH2_PROXY_SCOPE ;;
        AUTHSERVICE_URL_PREFIX) name=OAUTH2_PROXY_PROXY_PREFIX ;;
        CRYPTO_KEY | CRYPTO_KEY_FILE) name=OAUTH2_PROXY_COOKIE_SECRET ;;
        GROUPS_ALLOWLIST) name=OAUTH2_PROXY_ALLOWED_GROUPS ;;
        API_ROUTES) name=OAUTH2_PROXY_API_ROUTES ;;
        SKIP_AUTH_URLS) name=OAUTH2_PROXY_SKIP_AUTH_ROUTES ;;
        SESSION_SAME_SITE) name=OAUTH2_PROXY_COOKIE_SAMESITE ;;
        SESSION_MAX_AGE) name=OAUTH2_PROXY_COOKIE_EXPIRE ;;
        SESSION_DOMAIN) name=OAUTH2_PROXY_COOKIE_DOMAINS ;;
        USERID_CLAIM) name=OAUTH2_PROXY_OIDC_EMAIL_CLAIM ;;
        METRICS_PORT) [ -z "${OAUTH2_PROXY_METRICS_ADDRESS:-}" ] || name=OAUTH2_PROXY_METRICS_ADDRESS ;;
        GROUPS_CLAIM) name=OAUTH2_PROXY_OIDC_GROUPS_CLAIM ;;
        CA_BUNDLE) name=OAUTH2_PROXY_PROVIDER_CA_FILES ;;
    esac
}

# ---------------- Where options come from: arguments, the environment, the file

# Options of the command line become variables of the environment.
read_arguments() {
    for argument; do
        case $argument in
            --*=*) value=${argument#*=} ;;
            --*) value=true ;;
            *)
                wrong "$(shown "$argument")" "is no option"
                continue
                ;;
        esac
        name=${argument%%=*}
        name=$(printf '%s' "${name#--}" | tr 'a-z-' 'A-Z_')
        case $name in
            '' | *[!A-Z0-9_]*) wrong "$(shown "${argument%%=*}")" "is no option" ;;
            HTTP_ADDRESS | CONFIG) export "OAUTH2_PROXY_$name=$value" ;;
            *) wrong "--$(printf '%s' "$name" | tr 'A-Z_' 'a-z-')" "is not taken here: set OAUTH2_PROXY_$name" ;;
        esac
    done
}

# Each line of the file becomes OAUTH2_PROXY_NAME, unless that is set; lists with newlines between.
read_file() {
    file=${OAUTH2_PROXY_CONFIG:-/etc/oauth2_proxy/oauth2_proxy.cfg}
    if ! [ -e "$file" ] && [ -z "${OAUTH2_PROXY_CONFIG:-}" ]; then
        return 0
    fi
    if ! [ -f "$file" ] || ! [ -r "$file" ]; then
        wrong OAUTH2_PROXY_CONFIG "($(shown "$file")) is no file that uid $(id -u) can read"
        return 0
    fi
    if ! options=$(awk -f "$conf/cfg.awk" <"$file" 2>"$run/why"); then
        while IFS= read -r why; do
            wrong "$(shown "$file")" "$why"
        done <"$run/why"
        return 0
    fi
    rm -f "$run/why"
    from_file=
    while IFS= read -r option; do
        name=${option%%=*}
        case $name in
            '') continue ;;
        esac
        case " $from_file " in
            *" $name "*) eval "export \"OAUTH2_PROXY_\$name=\${OAUTH2_PROXY_$name}\$line_break\${option#*=}\"" ;;
            *)
                eval "[ -n \"\${OAUTH2_PROXY_$name:-}\" ]" && continue
                from_file="$from_file $name"
                export "OAUTH2_PROXY_$name=${option#*=}"
                ;;
        esac
    done <<OPTIONS
$options
OPTIONS
}

# option NAME DEFAULT: sets `value`, and notes that the name is known.
option() {
    known="$known $1"
    setting "OAUTH2_PROXY_$1" "$2"
}

# Lists have commas between in the environment, newlines from the file. Sets `value`, with commas.
option_list() {
    option "$1" "$2"
    value=$(printf '%s' "$value" | tr '\n' ',')
}

# become NAME OPTION DEFAULT: the option as a setting of oidc-authservice.
become() {
    option "$2" "$3"
    export "$1=$value"
}

# ---------------- Translation

options_realm() {
    option PROVIDER oidc
    case $value in
        oidc | keycloak-oidc) ;;
        *) wrong OAUTH2_PROXY_PROVIDER "must be oidc or keycloak-oidc, not '$(shown "$value")'" ;;
    esac
    become OIDC_PROVIDER OIDC_ISSUER_URL ''
    become CLIENT_ID CLIENT_ID ''
    become CLIENT_SECRET CLIENT_SECRET ''
    become CLIENT_SECRET_FILE CLIENT_SECRET_FILE ''
    unset OAUTH2_PROXY_CLIENT_SECRET
    become OIDC_AUTH_URL LOGIN_URL ''
    become OIDC_SCOPES SCOPE 'openid email profile'
    become USERID_CLAIM OIDC_EMAIL_CLAIM email
    become GROUPS_CLAIM OIDC_GROUPS_CLAIM groups
    option_list PROVIDER_CA_FILES ''
    case $value in
        *,*) wrong OAUTH2_PROXY_PROVIDER_CA_FILES "can be one file alone" ;;
        *) export "CA_BUNDLE=$value" ;;
    esac
    option INSECURE_OIDC_ALLOW_UNVERIFIED_EMAIL false
    setting_flag OAUTH2_PROXY_INSECURE_OIDC_ALLOW_UNVERIFIED_EMAIL false || return 0
    REQUIRE_VERIFIED_EMAIL=true
    [ "$value" = off ] || REQUIRE_VERIFIED_EMAIL=false
}

# 16, 24 or 32 bytes there; a shorter one is extended to the length of a key here.
options_secret() {
    known="$known COOKIE_SECRET COOKIE_SECRET_FILE"
    trim "${OAUTH2_PROXY_COOKIE_SECRET:-}"
    key=$trimmed
    unset OAUTH2_PROXY_COOKIE_SECRET
    CRYPTO_KEY_FILE=${CRYPTO_KEY_FILE:-${OAUTH2_PROXY_COOKIE_SECRET_FILE:-}}
    if [ -n "${CRYPTO_KEY:-}$CRYPTO_KEY_FILE" ]; then
        return 0
    fi
    case ${#key} in
        0) wrong OAUTH2_PROXY_COOKIE_SECRET "is missing: 32 random characters that seal sessions, the same on every replica" ;;
        ? | 1[0-5]) wrong OAUTH2_PROXY_COOKIE_SECRET "is too short: 32 characters or more (openssl rand -base64 32)" ;;
        1? | 2? | 3[01])
            key=$(printf '%s' "$key" | sha256sum)
            CRYPTO_KEY=${key%% *}
            ;;
        *) CRYPTO_KEY=$key ;;
    esac
}

# address_of NAME: `value` as `host` (nothing: every address) and `port`; 1 when it is wrong.
address_of() {
    value=${value#http://}
    host=${value%:*}
    port=${value##*:}
    [ "$host" != localhost ] || host=127.0.0.1
    case $value in
        *:*) ;;
        *) host=none ;;
    esac
    case $host:$port in
        *: | *:*[!0-9] | *[!0-9a-fA-F.:\[\]]* | [!0-9\[:]* | ::*)
            must_be "$1" ADDRESS:PORT
            return 1
            ;;
        0.0.0.0:* | '[::]:'*) host= ;;
    esac
}

options_addresses() {
    become AUTHSERVICE_URL_PREFIX PROXY_PREFIX /oauth2
    become REDIRECT_URL REDIRECT_URL "${AUTHSERVICE_URL_PREFIX%/}/callback"
    option HTTP_ADDRESS 0.0.0.0:4180
    if address_of OAUTH2_PROXY_HTTP_ADDRESS; then
        SERVER_PORT=$port
        [ -z "$host" ] || SERVER_HOSTNAME=$host
    fi
    option METRICS_ADDRESS ''
    case $value in
        '') ;;
        -) METRICS_PORT=off ;;
        *)
            METRICS_PORT=off
            if address_of OAUTH2_PROXY_METRICS_ADDRESS; then
                METRICS_PORT=$port
                metrics_address=${host:+$host:}
            fi
            ;;
    esac
    option_list WHITELIST_DOMAINS ''
    return_hosts=
    saved=$IFS
    IFS=,
    # shellcheck disable=SC2086  # a list
    set -- $value
    IFS=$saved
    for host; do
        trim "$host"
        case $trimmed in
            '') ;;
            .* | \** | *:\*) warn "OAUTH2_PROXY_WHITELIST_DOMAINS: '$(shown "$trimmed")' is not used: hosts must be named whole" ;;
            *[!A-Za-z0-9.:-]*) wrong OAUTH2_PROXY_WHITELIST_DOMAINS "must be names of hosts, not '$(shown "$trimmed")'" ;;
            *) put KeycloakReturnHosts "$trimmed" ;;
        esac
    done
}

# A route that is a plain path is public, with everything below it (with a slash at its end, only that);
# other routes are not public, which denies access.
options_routes() {
    SKIP_AUTH_URLS=
    public_routes SKIP_AUTH_ROUTES
    public_routes SKIP_AUTH_REGEX
}

public_routes() {
    option_list "$1" ''
    routes_of=OAUTH2_PROXY_$1
    saved=$IFS
    IFS=,
    # shellcheck disable=SC2086  # a list
    set -- $value
    IFS=$saved
    for route; do
        trim "$route"
        route=$trimmed
        path=${route#^}
        path=${path%.\*}
        path=${path%\(/|$\)}
        case $route in
            '') continue ;;
            ^/*) ;;
            *) path='*' ;;
        esac
        case $path in
            *[!A-Za-z0-9_~/-]* | /)
                warn "$routes_of: '$(shown "$route")' is not used, so that it needs a sign-in: it must be ^ and a plain path"
                ;;
            *) SKIP_AUTH_URLS="$SKIP_AUTH_URLS,$path" ;;
        esac
    done
}

# In the file each expression is an element of its own, and may have commas.
options_scripts() {
    option API_ROUTES ''
    API_ROUTES=$value
    case " $from_file " in
        *" API_ROUTES "*) route_separator=$line_break ;;
        *) route_separator=, ;;
    esac
    option FORCE_JSON_ERRORS false
    setting_flag OAUTH2_PROXY_FORCE_JSON_ERRORS false || return 0
    [ "$value" = off ] || API_ROUTES=$API_ROUTES$route_separator^
}

options_cookie() {
    option COOKIE_NAME _oauth2_proxy
    case $value in
        *[!A-Za-z0-9_-]*) wrong OAUTH2_PROXY_COOKIE_NAME "must be letters, digits, - and _, not '$(shown "$value")'" ;;
        *) put KeycloakCookie "$value" ;;
    esac
    option COOKIE_EXPIRE 168h
    case $value in
        *[!0-9hms]* | '' | *[!hms]) SESSION_MAX_AGE=$value ;;
        *) SESSION_MAX_AGE=$(printf '%s' "$value" | awk '{
            seconds = 0
            while (match($0, /^[0-9]+[hms]/)) {
                unit = substr($0, RLENGTH, 1)
                seconds += substr($0, 1, RLENGTH - 1) * (unit == "h" ? 3600 : unit == "m" ? 60 : 1)
                $0 = substr($0, RLENGTH + 1)
            }
            print ($0 == "" && seconds) ? seconds : "0"
        }') ;;
    esac
    # There, 0 is a cookie that the browser forgets when it is closed.
    case $value in
        *[!0hms]* | [!0]* | '') ;;
        *)
            SESSION_MAX_AGE=604800
            COOKIE_PERSISTENT=${COOKIE_PERSISTENT:-false}
            ;;
    esac
    option COOKIE_SAMESITE ''
    case $value in
        '' | lax) SESSION_SAME_SITE=Lax ;;
        strict) SESSION_SAME_SITE=Strict ;;
        none) SESSION_SAME_SITE=None ;;
        *) SESSION_SAME_SITE=$value ;;
    esac
    option_list COOKIE_DOMAINS ''
    case $value in
        *,*) wrong OAUTH2_PROXY_COOKIE_DOMAINS "can be one domain alone" ;;
        *) SESSION_DOMAIN=${value#.} ;;
    esac
    option COOKIE_SECURE true
    setting_flag OAUTH2_PROXY_COOKIE_SECURE true && is_secure=$value
}

# E-mail addresses may be limited to some domains; groups and roles are checked in addition. The address is
# the claim of OIDC_EMAIL_CLAIM, even if that is not email.
options_access() {
    option_list EMAIL_DOMAINS ''
    domains=$value
    option_list ALLOWED_GROUPS ''
    [ -z "$value" ] || GROUPS_ALLOWLIST=$value
    # oauth2-proxy has no wildcard there and would let nobody in; here it would let everybody in.
    case ,$(printf '%s' "$value" | tr -d '[:space:]'), in
        *,\*,*) wrong OAUTH2_PROXY_ALLOWED_GROUPS "cannot have *, which is no group: leave it out when all may come in" ;;
    esac
    option_list ALLOWED_ROLES ''
    [ -z "$value" ] || refused OAUTH2_PROXY_ALLOWED_ROLES
    known="$known AUTHENTICATED_EMAILS_FILE HTPASSWD_FILE TRUSTED_IPS"
    refused OAUTH2_PROXY_AUTHENTICATED_EMAILS_FILE
    if [ -z "$domains${OAUTH2_PROXY_AUTHENTICATED_EMAILS_FILE:-}" ]; then
        wrong OAUTH2_PROXY_EMAIL_DOMAINS "is missing: the domains of e-mail addresses that may come in, or *"
    fi
    : >"$run/domains.conf"
    quoted "$USERID_CLAIM"
    export "KCI_DOMAIN_CLAIM=$quoted"
    saved=$IFS
    IFS=,
    # shellcheck disable=SC2086  # a list
    set -- $domains
    IFS=$saved
    for domain; do
        trim "$domain"
        domain=${trimmed#@}
        case $domain in
            '') ;;
            \*) return 0 ;;
            *[!A-Za-z0-9.-]* | *..*) wrong OAUTH2_PROXY_EMAIL_DOMAINS "must be domains or *, not '$(shown "$domain")'" ;;
            *)
                count=$((count + 1))
                pattern=$(printf '%s' "$domain" | tr '[:upper:]' '[:lower:]' | sed 's/\./[.]/g')
                case $domain in
                    .*) pattern="@.*$pattern" ;;
                    *) pattern="@$pattern" ;;
                esac
                export "KCI_DOMAIN_$count=$pattern\$"
                # shellcheck disable=SC2016  # httpd puts the value in
                printf 'Require keycloak-claim "${KCI_DOMAIN_CLAIM}" matches "${KCI_DOMAIN_%s}"\n' "$count" >>"$run/domains.conf"
                ;;
        esac
    done
    turn_on KCI_DOMAINS
}

options_headers() {
    option SET_XAUTHREQUEST false
    setting_flag OAUTH2_PROXY_SET_XAUTHREQUEST false
    if [ "$value" = on ]; then
        turn_on KCI_XAUTHREQUEST
        put KeycloakHeader X-Auth-Request-User sub
        put KeycloakHeader X-Auth-Request-Email "$USERID_CLAIM"
        put KeycloakHeader X-Auth-Request-Groups "$GROUPS_CLAIM"
        put KeycloakHeader X-Auth-Request-Preferred-Username preferred_username
    fi
    option SET_AUTHORIZATION_HEADER false
    setting_flag OAUTH2_PROXY_SET_AUTHORIZATION_HEADER false
    [ "$value" = off ] || export USERID_TOKEN_HEADER=Authorization
    option SKIP_JWT_BEARER_TOKENS false
    setting_flag OAUTH2_PROXY_SKIP_JWT_BEARER_TOKENS false
    IDTOKEN_AUTHN_ENABLED=$value
    ACCESS_TOKEN_AUTHN_ENABLED=$value
    option_list OIDC_EXTRA_AUDIENCES ''
    AUDIENCES=$value
}

# Succeeds for what Kubernetes says of the namespace's Services, which are called oauth2-proxy here.
is_link() {
    case $1 in
        *SERVICE_HOST | *SERVICE_PORT | *SERVICE_PORT_* | *PORT_[0-9]*_TCP* | *PORT_[0-9]*_UDP* | *PORT_[0-9]*_SCTP*) return 0 ;;
        PORT | *_PORT) eval "value=\${OAUTH2_PROXY_$1}" ;;
        *) return 1 ;;
    esac
    case $value in
        tcp://* | udp://* | sctp://*) return 0 ;;
    esac
    return 1
}

# Options without a counterpart; ignoring them lets nobody in who could not come in before.
options_unused() {
    known="$known CONFIG"
    others=
    for name in $(env | sed -n 's/^OAUTH2_PROXY_\([A-Z0-9_]*\)=..*/\1/p'); do
        case " $known " in
            *" $name "*) ;;
            *) is_link "$name" || others="$others $name" ;;
        esac
    done
    [ -z "$others" ] ||
        warn "not used of oauth2-proxy's options:$others; docker/README.md says what is so instead"
    case ${OAUTH2_PROXY_SSL_INSECURE_SKIP_VERIFY:-} in
        true) warn "OAUTH2_PROXY_SSL_INSECURE_SKIP_VERIFY is not used: Keycloak's certificate is always checked; name its CA by OAUTH2_PROXY_PROVIDER_CA_FILES" ;;
    esac
}

settings_of_mode() {
    is_secure=off
    audiences=
    export KCI_SERVER_NAME=localhost
    options_realm
    options_addresses
    options_routes
    options_scripts
    options_cookie
    options_access
    options_headers
    options_unused
    AFTER_LOGOUT_URL=${AFTER_LOGOUT_URL:-/}
    listen SERVER_PORT 4180
    listen READINESS_PROBE_PORT 44180
    listen_metrics
    settings_realm
    settings_prefix
    export "KCI_PREFIX=$prefix"
    settings_redirect
    case $is_secure/$public in
        on/http://*) wrong OAUTH2_PROXY_COOKIE_SECURE "is true, but OAUTH2_PROXY_REDIRECT_URL (or PUBLIC_URL) is http: browsers would keep no cookie" ;;
    esac
    settings_public
    settings_routes
    settings_after
    settings_identity
    settings_groups
    settings_session
    settings_bearer
}
