# shellcheck shell=sh
# The settings of oidc-authservice, for the modes judge, proxy and sidecar; see docker/README.md.
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2034,SC2154  # shared with the entrypoint

required() {
    eval "value=\${$1:-}"
    trim "$value"
    value=$trimmed
    [ -n "$value" ] && return 0
    wrong "$1" "is missing: $2"
    return 1
}

# ---------------- The realm and its client

settings_realm() {
    is_plain_http=no
    issuer=
    if required OIDC_PROVIDER "the realm's address, such as https://keycloak.example.com/realms/kubeflow"; then
        setting_url OIDC_PROVIDER '' && issuer=$value && put KeycloakIssuer "$value" && note_http OIDC_PROVIDER
    fi
    if required CLIENT_ID "the client's name in the realm"; then
        setting_text CLIENT_ID '' && put KeycloakClientID "$value"
    fi
    if ! secret CLIENT_SECRET KeycloakClientSecret; then
        name_of CLIENT_SECRET
        wrong CLIENT_SECRET "is missing: the secret from the client's Credentials tab, or ${name}_FILE, which names a file that has it"
    fi
    if setting_location OIDC_AUTH_URL '' && [ -n "$value" ]; then
        put KeycloakAuthURL "$value"
        note_http OIDC_AUTH_URL
        note_other_place OIDC_AUTH_URL
    fi
    setting_url BACKCHANNEL_URL '' && note_http BACKCHANNEL_URL
    [ $is_plain_http = no ] || put KeycloakAllowHTTP on
    setting_text OIDC_SCOPES 'openid,email' && put_words KeycloakScope "$value" "$lists"
}

# An address of the provider before, such as Dex's.
note_other_place() {
    origin_of "$issuer"
    place=${issuer#"$origin"}
    case $value in
        *"${place%/}"*) return 0 ;;
    esac
    name_of OIDC_PROVIDER
    there=$name
    name_of "$1"
    warn "$name ($(shown "$value")) has not the path of $there: browsers are sent there to sign in; leave it out, and Keycloak's own address counts"
}

# Of the issuer httpd itself tells, once it starts.
note_http() {
    [ "$is_plain_http" = no ] || return 0
    case $value in
        http://*)
            is_loopback "$value" && return 0
            is_plain_http=yes
            [ "$1" != OIDC_PROVIDER ] || return 0
            name_of "$1"
            warn "$name is http: everybody on the way to Keycloak can read secrets; use https"
            ;;
    esac
    return 0
}

# ---------------- Addresses

# The prefix may be a whole URL; its host is then the one that browsers use.
settings_prefix() {
    public=
    prefix=/authservice/
    required AUTHSERVICE_URL_PREFIX "where the pages for signing in and out are, such as /authservice/" || return 0
    case $value in
        http://* | https://*)
            setting_url AUTHSERVICE_URL_PREFIX '' || return 0
            origin_of "$value"
            public=$origin
            value=/${value#"$origin"}
            value=/${value#//}
            ;;
    esac
    case $value in
        / | [!/]* | *//* | *[!A-Za-z0-9._~/-]* | */./* | */../*)
            must_be AUTHSERVICE_URL_PREFIX "a path such as /authservice/ of letters, digits and - . _ ~"
            return 0
            ;;
    esac
    prefix=${value%/}/
    put KeycloakPrefix "$prefix"
}

settings_redirect() {
    setting_url PUBLIC_URL "$public" || return 0
    public=${value%/}
    setting_location REDIRECT_URL '' || return 0
    redirect=$value
    case $redirect in
        '' | "${prefix}oidc/callback") redirect= ;;
        /*)
            if [ -z "$public" ]; then
                wrong REDIRECT_URL "is the path $(shown "$redirect"): Keycloak needs a whole URL, so give one, or set PUBLIC_URL"
                return 0
            fi
            redirect=$public$redirect
            ;;
        *)
            origin_of "$redirect"
            public=${public:-$origin}
            ;;
    esac
    [ -z "$redirect" ] || put KeycloakRedirectURI "$redirect"
    if [ -n "$public" ]; then
        put KeycloakPublicURL "$public"
        # With a port: otherwise httpd would use the one that it listens at.
        case $public in
            *:*:* | *]:*) export "KCI_SERVER_NAME=$public" ;;
            https:*) export "KCI_SERVER_NAME=$public:443" ;;
            *) export "KCI_SERVER_NAME=$public:80" ;;
        esac
    else
        turn_on KCI_ANY_HOST
        warn "neither REDIRECT_URL nor PUBLIC_URL says what browsers call this site: the Host header of each request does, and http unless TRUSTED_PROXIES names the gateway"
    fi
}

# The original skips everything that begins with these texts; here they are paths, and what is below them.
settings_public() {
    # Two pages that a gateway may route to the port for pages.
    put KeycloakPublicPath "${prefix}site"
    setting_text SKIP_AUTH_URLS '' || return 0
    skipped=$value
    setting_text SKIP_AUTH_URI '' || return 0
    saved=$IFS
    IFS=,
    # shellcheck disable=SC2086  # commas in one, spaces in the other
    set -- $skipped
    IFS=' '
    # shellcheck disable=SC2086
    set -- "$@" $value
    IFS=$saved
    for path; do
        trim "$path"
        path=$trimmed
        case $path in
            '' | "$prefix" | "${prefix%/}") ;;
            *[!A-Za-z0-9._~/:@!\$\&\'\(\)+\;=-]* | [!/]* | *//* | */./* | */../* | */. | */..)
                wrong SKIP_AUTH_URLS "must be paths that begin with / and have no escapes, wildcards, // or .., not '$(shown "$path")'$(quotes_hint "$path")"
                ;;
            /)
                warn "SKIP_AUTH_URLS has /: nobody is asked to sign in, anywhere"
                put KeycloakPublicPath /
                ;;
            *) put KeycloakPublicPath "$path" ;;
        esac
    done
}

# oidc-authservice was given the logout address itself, which would be a redirect loop here.
after_logout() {
    setting_location AFTER_LOGOUT_URL "${prefix}site/after_logout" || return 0
    path=${value%%[?#]*}
    case $path in
        http://*/* | https://*/*)
            origin_of "$path"
            path=/${path#*://*/}
            ;;
        *) origin=$public ;;
    esac
    case ${origin#*://}$path in
        "${public#*://}${prefix}site/"* | "${public#*://}${prefix}login") ;;
        "${public#*://}$prefix"* | "${public#*://}${prefix%/}")
            warn "AFTER_LOGOUT_URL is $(shown "$value"), an address of this module itself: browsers arrive at ${prefix}site/after_logout instead"
            value=${prefix}site/after_logout
            ;;
    esac
    put KeycloakAfterLogoutURL "$value"
}

settings_after() {
    if [ -n "${AFTER_LOGIN_URL:-}" ]; then
        warn "AFTER_LOGIN_URL is not used: browsers arrive at the page that they asked for"
    fi
    if [ -n "${STATIC_DESTINATION_URL:-}" ]; then
        warn "STATIC_DESTINATION_URL is not used: browsers arrive at the page that they asked for"
    fi
    after_logout
    setting_location HOMEPAGE_URL "${prefix}site/homepage" || return 0
    [ "$value" = "${prefix}site/homepage" ] ||
        warn "HOMEPAGE_URL is not used: nothing here leads there"
}

# ---------------- Identity and access

settings_identity() {
    setting_header USERID_HEADER kubeflow-userid && put KeycloakUserHeader "$value"
    export "KCI_USER_HEADER=$value"
    setting_header GROUPS_HEADER kubeflow-groups && put KeycloakGroupsHeader "$value"
    export "KCI_GROUPS_HEADER=$value"
    # Spaces count in a prefix.
    value=${USERID_PREFIX:-}
    if has_control "$value"; then
        wrong USERID_PREFIX "has a newline or another control character"
    elif [ -n "$value" ]; then
        put KeycloakUserPrefix "$value"
    fi
    setting_text GROUPS_CLAIM groups && put KeycloakGroupsClaim "$value"
    setting_text USERID_CLAIM email || return 0
    put KeycloakUserClaim "$value"
    claim=$value
    setting_flag REQUIRE_VERIFIED_EMAIL false || return 0
    put KeycloakVerifiedEmail "$value"
    original=", as oidc-authservice does"
    cure=REQUIRE_VERIFIED_EMAIL=true
    if [ "$mode" = oauth2-proxy ]; then
        original=
        cure=OAUTH2_PROXY_INSECURE_OIDC_ALLOW_UNVERIFIED_EMAIL=false
    fi
    [ "$value/$claim" != off/email ] ||
        warn "e-mail addresses that Keycloak has not verified are accepted$original: a user who may change their own address there can take the name of any other; $cure refuses them"
    settings_transform
}

settings_transform() {
    [ -n "${USERID_TRANSFORMERS:-}" ] || return 0
    if ! rules=$(awk -f "$conf/transformers.awk" </dev/null 2>"$run/why"); then
        while IFS= read -r why; do
            wrong USERID_TRANSFORMERS "$why"
        done <"$run/why"
        return 0
    fi
    while IFS= read -r why; do
        warn "USERID_TRANSFORMERS $why"
    done <"$run/why"
    rm -f "$run/why"
    while IFS= read -r matches && IFS= read -r replaces; do
        put KeycloakUserTransform "${matches#=}" "${replaces#=}"
    done <<RULES
$rules
RULES
}

# GROUPS_ALLOWLIST restricts access: in doubt, access is denied.
settings_groups() {
    [ -n "${GROUPS_ALLOWLIST+set}" ] || return 0
    : >"$run/groups.conf"
    saved=$IFS
    IFS=,
    # shellcheck disable=SC2086
    set -- $GROUPS_ALLOWLIST
    IFS=$saved
    listed=no
    for group; do
        trim "$group"
        case $trimmed in
            '') ;;
            \*) return 0 ;;
            *[[:cntrl:]]*) wrong GROUPS_ALLOWLIST "cannot have '$(shown "$trimmed")'" ;;
            *)
                count=$((count + 1))
                quoted "$trimmed"
                export "KCI_GROUP_$count=$quoted"
                # shellcheck disable=SC2016  # httpd puts the value in
                printf 'Require keycloak-group "${KCI_GROUP_%s}"\n' "$count" >>"$run/groups.conf"
                ;;
        esac
        [ -z "$trimmed" ] || listed=yes
    done
    if [ $listed = no ]; then
        wrong GROUPS_ALLOWLIST "names no group, so that nobody could come in: name groups, or leave it out"
    fi
    turn_on KCI_GROUPS
}

# ---------------- Sessions

settings_session() {
    if setting_number SESSION_MAX_AGE 86400 1 315360000; then
        put KeycloakSessionMax "$value"
        # The original has no other expiry.
        if setting_number SESSION_IDLE "$value" 1 315360000; then
            put KeycloakSessionIdle "$value"
        fi
    fi
    setting_flag COOKIE_PERSISTENT true && put KeycloakCookiePersistent "$value"
    setting SESSION_SAME_SITE Lax
    case $value in
        Lax | Strict) put KeycloakCookieSameSite "$value" ;;
        None)
            case $public in
                https://*) put KeycloakCookieSameSite None ;;
                *) wrong SESSION_SAME_SITE "None needs https, and REDIRECT_URL or PUBLIC_URL that says so: browsers refuse such a cookie over http" ;;
            esac
            ;;
        *) must_be SESSION_SAME_SITE "Lax, Strict or None" ;;
    esac
    setting_text SESSION_DOMAIN '' && [ -n "$value" ] && put KeycloakCookieDomain "$value"
    setting_flag STRICT_SESSION_VALIDATION false && [ "$value" = on ] && put KeycloakCacheTTL 0
    setting_text IDLE_IGNORE '/api/metrics /notebook/*/*/api/kernels /notebook/*/*/api/terminals /workspace/connect/*/*/*/api/kernels /workspace/connect/*/*/*/api/terminals' &&
        put_words KeycloakIdleIgnore "$value" "$lists"
    return 0
}

# ---------------- Ignored settings

unused() {
    for name; do
        eval "value=\${$name:-}"
        [ -z "$value" ] || warn "$name is not used: $why"
    done
}

# differs NAME VALUE: warns of a value that differs from what this module does.
differs() {
    eval "value=\${$1:-$2}"
    [ "$value" = "$2" ] || warn "$1 is not used: $why"
}

# These settings restricted access; without them more users could come in.
refused() {
    eval "value=\${$1:-}"
    [ -n "$value" ] || return 0
    case " $(printf '%s' "${IGNORED_ACCESS_RULES:-}" | tr ',' ' ') " in
        *" $1 "*) warn "$1 is not used, as IGNORED_ACCESS_RULES says: who may come in is decided without it" ;;
        *) wrong "$1" "restricts access and cannot be honoured: express it by GROUPS_ALLOWLIST or an AuthorizationPolicy, remove it, or name it in IGNORED_ACCESS_RULES" ;;
    esac
}

settings_unused() {
    refused EXTERNAL_AUTHZ_URL
    refused AUTHZ_CONFIG_PATH
    why="pages are the module's own"
    unused CLIENT_NAME THEME THEMES_URL TEMPLATE_PATH
    for name in $(env | sed -n 's/^\(TEMPLATE_CONTEXT_[A-Za-z0-9_]*\)=.*/\1/p'); do
        warn "$name is not used: $why"
    done
    why="sessions are kept where MEMCACHED_SERVERS says"
    unused SESSION_STORE_TYPE SESSION_STORE_PATH SESSION_STORE_REDIS_ADDR SESSION_STORE_REDIS_PWD \
        SESSION_STORE_REDIS_DB OIDC_STATE_STORE_PATH
    why="tokens of clients are read from Authorization"
    differs AUTH_HEADER Authorization
    differs ID_TOKEN_HEADER Authorization
    why="backends are not told how a user has signed in"
    unused AUTH_METHOD_HEADER
    why="tokens are checked here, as JWT"
    differs ACCESS_TOKEN_AUTHN jwt
    why="what is checked here needs no such cache"
    unused CACHE_ENABLED CACHE_EXPIRATION_MINUTES
    why="TRUSTED_PROXIES says whose X-Forwarded-Proto is believed, and PUBLIC_URL what is so without it"
    unused SCHEME_DEFAULT SCHEME_HEADER
    why="no cookie or header of this name is handed on"
    unused TOKEN_HEADER TOKEN_SCHEME
    # On in the original, unless it is turned off.
    default=false
    [ "$mode" != judge ] || default=true
    if setting_flag KUBERNETES_AUTHN_ENABLED $default && [ "$value" = on ]; then
        warn "KUBERNETES_AUTHN_ENABLED is not used: tokens of Kubernetes' service accounts, which oidc-authservice accepts, are refused here; programs need a token of the realm. KUBERNETES_AUTHN_ENABLED=false if nobody has used them"
    fi
    why="it is at ${prefix}verify"
    setting VERIFY_AUTH_URL "${prefix}verify"
    [ "${value%/}" = "${prefix}verify" ] || warn "VERIFY_AUTH_URL is not used: $why"
}

# ---------------- Bearer tokens (KeycloakBearer, KeycloakAudience, KeycloakIDTokenHeader)

settings_bearer() {
    setting_flag IDTOKEN_AUTHN_ENABLED true
    by=$value
    setting_flag ACCESS_TOKEN_AUTHN_ENABLED true
    case $by$value in
        onon) bearer=on ;;
        onoff) bearer=id ;;
        offon) bearer=access ;;
        *) bearer=off ;;
    esac
    put KeycloakBearer "$bearer"
    if [ $bearer != off ]; then
        setting CLIENT_ID ''
        [ -z "$value" ] || put KeycloakAudience "$value"
        setting_text AUDIENCES "$audiences" && put_words KeycloakAudience "$value" ', '
    fi
    setting_header USERID_TOKEN_HEADER '' && [ -n "$value" ] && put KeycloakIDTokenHeader "$value"
}

# Scripts that copy the cookie look for its name.
settings_told() {
    cookie=${OAUTH2_PROXY_COOKIE_NAME:-keycloak_session}
    [ "$mode" != oauth2-proxy ] || cookie=${OAUTH2_PROXY_COOKIE_NAME:-_oauth2_proxy}
    former=
    [ "$mode" = oauth2-proxy ] || former=", in place of authservice_session"
    case $public in
        https://*)
            prefix_of_cookie=__Host-
            [ -z "${SESSION_DOMAIN:-}" ] || prefix_of_cookie=__Secure-
            say "the session cookie is called $prefix_of_cookie$cookie$former"
            ;;
        http://*) say "the session cookie is called $cookie$former" ;;
        *) say "the session cookie is called $cookie, over https __Host-$cookie$former" ;;
    esac
}

# ---------------- The backend, for modes proxy and sidecar

# The application's port is taken, where this listens at every address.
settings_backend_port() {
    setting BACKEND_URL ''
    setting_name=BACKEND_URL
    [ -z "${BACKEND_PORT:-}" ] || setting_name=BACKEND_PORT
    case ${KCI_ADDRESS:-}$value in
        http*:*:[0-9]*) port=${value##*:} ;;
        *) return 0 ;;
    esac
    port=${port%/}
    is_number "$port" || return 0
    is_free_port "$setting_name" "$port"
    ports="$ports$setting_name=$port "
}

settings_backend() {
    case $mode in
        proxy)
            required BACKEND_URL "what stands behind, such as http://istio-ingressgateway.istio-system.svc.cluster.local" || return 0
            ;;
        sidecar)
            setting BACKEND_URL ''
            if [ -z "$value" ]; then
                required BACKEND_PORT "the port of this pod that the application listens at, such as 8888" || return 0
                setting_number BACKEND_PORT '' 1 65535 || return 0
                BACKEND_URL=http://127.0.0.1:$value
            fi
            is_loopback "$BACKEND_URL" || wrong BACKEND_URL "must be on the loopback in a sidecar, such as http://127.0.0.1:8888"
            settings_backend_port
            ;;
    esac
    setting_url BACKEND_URL '' || return 0
    origin_of "$value"
    [ "$origin" = "${value%/}" ] || wrong BACKEND_URL "takes scheme://host[:port] without a path, not '$(shown "$value")'"
    export "KCI_BACKEND=$origin"
}

settings_of_mode() {
    audiences=istio-ingressgateway.istio-system.svc.cluster.local
    export KCI_SERVER_NAME=localhost
    listen SERVER_PORT 8080
    listen READINESS_PROBE_PORT 8081
    case $mode in
        judge) listen WEB_SERVER_PORT 8082 ;;
        *) settings_backend ;;
    esac
    listen_metrics
    settings_realm
    settings_prefix
    export "KCI_PREFIX=$prefix"
    settings_redirect
    settings_public
    settings_routes
    settings_after
    settings_identity
    settings_groups
    settings_session
    settings_bearer
    settings_unused
}

