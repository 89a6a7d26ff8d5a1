/* The back channel through libcurl: limited in time, size and number, and without options that
 * follow other URLs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/http_curl.h"

#include <apr_strings.h>
#include <curl/curl.h>
#include <pthread.h>
#include <string.h>

#include "base/caller.h"
#include "base/url.h"
#include "crypto/crypto.h"
#include "http/http.h"
#include "http/http_address.h"
#include "http/http_body.h"
#include "http/http_failure.h"
#include "http/http_head.h"
#include "net/wait_limit.h"

#ifndef KC_VERSION
#define KC_VERSION "0"
#endif

enum {
    IDLE_MAX = 16,                 /* handles, and so connections, kept for the next exchange */
    TYPE_MAX = 256,                /* bytes of a content type in a response */
    AUTHORIZATION_MAX = 132 * 1024 /* bytes: the maximum length of an access token */
};

typedef struct {
    kc_http_t http; /* first */
    kc_http_curl_options_t options;
    pthread_mutex_t lock;
    CURL *idle[IDLE_MAX];
    uint32_t idle_changes[IDLE_MAX]; /* what count_changes said of each one's exchange */
    size_t idle_count;
} client_t;

/* One exchange. */
typedef struct {
    const kc_http_request_t *request;
    kc_http_curl_pems_t pems;
    apr_pool_t *pool;
    CURL *curl;
    struct curl_slist *headers;
    kc_http_address_t address;
    struct curl_slist *addresses; /* so that libcurl looks up none */
    int64_t timeout_ms;           /* what is left */
    kc_http_body_t body;
    int is_too_long;
    int is_head_whole;
    curl_socket_t socket; /* the last one that was made */
    const char *peer;     /* with whom TLS has begun; NULL: it has not */
    kc_http_head_t head;
    char host[KC_HTTP_ADDRESS_HOST_MAX];
    char reason[CURL_ERROR_SIZE];
} exchange_t;

/* ---------------------------------------------------------------- body */

/* curl's write callback: any result except the number of bytes ends the exchange. */
static size_t body_write(char *data, size_t one, size_t count, void *context)
{
    exchange_t *exchange = context;
    size_t len = one * count;

    if (!kc_http_body_add(&exchange->body, data, len)) {
        exchange->is_too_long = 1;
        return 0;
    }
    return len;
}

/* curl's header callback, called for each line. curl takes a connection that ends within the header
 * for a complete answer without a body; only the empty line shows the difference. */
static size_t head_write(char *data, size_t one, size_t count, void *context)
{
    exchange_t *exchange = context;
    size_t len = one * count;

    if (len >= 5 && !memcmp(data, "HTTP/", 5)) {
        exchange->is_head_whole = 0;
        memset(&exchange->head, 0, sizeof(exchange->head));
    } else if (len && (data[0] == '\r' || data[0] == '\n')) {
        exchange->is_head_whole = 1;
    } else if (exchange->request->wants_head) {
        kc_http_head_take(&exchange->head, data, len, exchange->pool);
    }
    return len;
}

/* curl's callback for a new socket, before it is connected. */
static int note_socket(void *context, curl_socket_t socket, curlsocktype purpose)
{
    (void)purpose;
    ((exchange_t *)context)->socket = socket;
    return CURL_SOCKOPT_OK;
}

/* curl's callback at the begin of TLS. What curl says of a connection whose TLS has not come about
 * differs from version to version. */
static CURLcode note_tls(CURL *curl, void *tls, void *context)
{
    exchange_t *exchange = context;

    (void)curl;
    (void)tls;
    exchange->peer = kc_http_address_peer((int)exchange->socket, exchange->pool);
    return CURLE_OK;
}

/* curl's progress callback, called at least once a second: any result except 0 ends the
 * exchange. */
static int is_stopped(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total,
                      curl_off_t up_now)
{
    (void)total;
    (void)now;
    (void)up_total;
    (void)up_now;
    return __atomic_load_n((const uint32_t *)context, __ATOMIC_RELAXED) != 0;
}

/* ---------------------------------------------------------------- handles */

/* Of addresses and of certificates: both numbers only grow. */
static uint32_t count_changes(const client_t *client, const kc_http_curl_pems_t *pems)
{
    return pems->serial +
           (client->options.resolver ? kc_resolver_changes(client->options.resolver) : 0);
}

/* A handle with connections to former addresses of the hosts, or by former certificates, is not
 * used. */
static CURL *handle_take(client_t *client, uint32_t now)
{
    CURL *curl = NULL;
    int is_old = 0;

    (void)pthread_mutex_lock(&client->lock);
    if (client->idle_count) {
        curl = client->idle[--client->idle_count];
        is_old = client->idle_changes[client->idle_count] != now;
    }
    (void)pthread_mutex_unlock(&client->lock);
    if (is_old) {
        curl_easy_cleanup(curl);
        curl = NULL;
    }
    return curl ? curl : curl_easy_init();
}

/* A reset handle keeps its connections and forgets its options. */
static void handle_give(client_t *client, CURL *curl, uint32_t since)
{
    curl_easy_reset(curl);
    (void)pthread_mutex_lock(&client->lock);
    if (client->idle_count < IDLE_MAX) {
        client->idle_changes[client->idle_count] = since;
        client->idle[client->idle_count++] = curl;
        curl = NULL;
    }
    (void)pthread_mutex_unlock(&client->lock);
    if (curl)
        curl_easy_cleanup(curl);
}

static apr_status_t client_close(void *data)
{
    client_t *client = data;

    while (client->idle_count)
        curl_easy_cleanup(client->idle[--client->idle_count]);
    (void)pthread_mutex_destroy(&client->lock);
    return APR_SUCCESS;
}

/* ---------------------------------------------------------------- options */

static int header_add(exchange_t *exchange, const char *header)
{
    struct curl_slist *longer =
        header ? curl_slist_append(exchange->headers, header) : exchange->headers;

    if (longer)
        exchange->headers = longer;
    return longer != NULL;
}

static int authorization_add(exchange_t *exchange, const char *value)
{
    static const char name[] = "Authorization: ";
    size_t len = strlen(value);
    char *line;
    int is_added;

    if (len > AUTHORIZATION_MAX || value[strcspn(value, "\r\n")])
        return 0;
    line = apr_pstrcat(exchange->pool, name, value, NULL);
    is_added = header_add(exchange, line);
    kc_crypto_cleanse(line, sizeof(name) - 1 + len);
    return is_added;
}

static int headers_add(exchange_t *exchange)
{
    const char *authorization = exchange->request->authorization;

    /* An empty Expect: otherwise curl would wait a second for a server's permission to send a
     * larger form. */
    if (!header_add(exchange, "Accept: application/json") || !header_add(exchange, "Expect:") ||
        !header_add(exchange, kc_caller_line(0)) || !header_add(exchange, kc_caller_line(1)))
        return 0;
    return !authorization || authorization_add(exchange, authorization);
}

static void headers_free(exchange_t *exchange)
{
    struct curl_slist *header;

    for (header = exchange->headers; header; header = header->next)
        kc_crypto_cleanse(header->data, strlen(header->data));
    curl_slist_free_all(exchange->headers);
    exchange->headers = NULL;
}

static CURLcode protocols_set(CURL *curl)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    return curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* The environment of httpd must not decide where tokens go: no proxy, no .netrc. */
static CURLcode limits_set(CURL *curl, const kc_http_curl_options_t *options, int64_t timeout_ms,
                           int64_t connect_ms)
{
    long timeout = (long)timeout_ms, connect = (long)connect_ms;
    CURLcode code = protocols_set(curl);

#define SET(name, value)  \
    if (code == CURLE_OK) \
    code = curl_easy_setopt(curl, CURLOPT_##name, value)
    SET(NOSIGNAL, 1L);
    SET(FOLLOWLOCATION, 0L);
    SET(PROXY, "");
    SET(NETRC, (long)CURL_NETRC_IGNORED);
    SET(DISALLOW_USERNAME_IN_URL, 1L);
    SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(TIMEOUT_MS, timeout);
    SET(CONNECTTIMEOUT_MS, connect);
    SET(USERAGENT, "mod_auth_keycloak/" KC_VERSION);
    if (options->stop) {
        SET(NOPROGRESS, 0L);
        SET(XFERINFOFUNCTION, is_stopped);
        SET(XFERINFODATA, options->stop);
    }
    return code;
}

/* Text that the server has read as root, because its children may not be able to. NULL sets
 * nothing. */
static CURLcode blob_set(CURL *curl, CURLoption option, const char *text, CURLcode code)
{
    struct curl_blob blob = {(void *)(uintptr_t)text, text ? strlen(text) : 0, CURL_BLOB_NOCOPY};

    return code == CURLE_OK && text ? curl_easy_setopt(curl, option, &blob) : code;
}

static CURLcode tls_set(CURL *curl, const kc_http_curl_pems_t *pems)
{
    CURLcode code = CURLE_OK;

    SET(SSL_VERIFYPEER, 1L);
    SET(SSL_VERIFYHOST, 2L);
    SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (pems->ca) {
        SET(CAPATH, NULL);
        code = blob_set(curl, CURLOPT_CAINFO_BLOB, pems->ca, code);
    }
    code = blob_set(curl, CURLOPT_SSLCERT_BLOB, pems->cert, code);
    code = blob_set(curl, CURLOPT_SSLKEY_BLOB, pems->key, code);
    return code;
}

/* POSTFIELDS is not copied: the caller cleanses the form. */
static CURLcode request_set(exchange_t *exchange)
{
    const kc_http_request_t *request = exchange->request;
    CURL *curl = exchange->curl;
    CURLcode code = CURLE_OK;

    SET(URL, request->url);
    SET(HTTPHEADER, exchange->headers);
    SET(MAXFILESIZE, (long)exchange->body.max);
    if (request->form) {
        /* curl repeats a request on a kept connection that has died, but a code must be sent only
         * once */
        SET(FRESH_CONNECT, 1L);
        SET(POSTFIELDS, request->form);
        SET(POSTFIELDSIZE, (long)strlen(request->form));
    }
    SET(WRITEFUNCTION, body_write);
    SET(WRITEDATA, exchange);
    SET(HEADERFUNCTION, head_write);
    SET(HEADERDATA, exchange);
    SET(SOCKOPTFUNCTION, note_socket);
    SET(SOCKOPTDATA, exchange);
    SET(SSL_CTX_FUNCTION, note_tls);
    SET(SSL_CTX_DATA, exchange);
    SET(ERRORBUFFER, exchange->reason);
#undef SET
    return code;
}

/* ---------------------------------------------------------------- exchange */

/* curl's own text when it is about the network or the certificate. When it could quote the answer,
 * only the kind of failure. */
static const char *failure_text(const exchange_t *exchange, CURLcode code)
{
    const char *reason = exchange->reason[0] ? exchange->reason : curl_easy_strerror(code);
    long number = 0;

    if (exchange->is_too_long || code == CURLE_FILESIZE_EXCEEDED)
        return apr_psprintf(exchange->pool, "the answer is over %d KiB",
                            (int)(exchange->body.max / 1024));
    switch (code) {
    case CURLE_COULDNT_CONNECT:
        (void)curl_easy_getinfo(exchange->curl, CURLINFO_OS_ERRNO, &number);
        return kc_http_failure_connection(reason, (int)number, exchange->pool);
    case CURLE_PEER_FAILED_VERIFICATION:
        return kc_http_failure_certificate(reason, exchange->pool);
    case CURLE_SSL_CACERT_BADFILE:
        return apr_pstrcat(exchange->pool, reason, " (look at KeycloakCAFile)", NULL);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
        return reason;
    default:
        return curl_easy_strerror(code);
    }
}

static void response_fill(exchange_t *exchange, kc_http_response_t *response)
{
    const char *type = NULL;
    long status = 0;

    (void)curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(exchange->curl, CURLINFO_CONTENT_TYPE, &type);
    response->status = (int)status;
    response->content_type = type ? apr_pstrndup(exchange->pool, type, TYPE_MAX) : "";
    response->body = kc_http_body_text(&exchange->body);
    response->body_len = exchange->body.len;
    response->location = exchange->head.location;
    response->date = exchange->head.date;
}

/* How far an exchange has come that has begun to connect. */
static kc_http_stage_t stage_of(const exchange_t *exchange, CURLcode code)
{
    curl_off_t ready = 0;

    if (code == CURLE_COULDNT_RESOLVE_HOST)
        return KC_HTTP_STAGE_NAME;
    (void)curl_easy_getinfo(exchange->curl, CURLINFO_PRETRANSFER_TIME_T, &ready);
    if (ready)
        return KC_HTTP_STAGE_ANSWER;
    if (exchange->peer || code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CERTPROBLEM)
        return KC_HTTP_STAGE_TLS;
    return KC_HTTP_STAGE_CONNECT;
}

static void fate_fill(const exchange_t *exchange, CURLcode code, kc_http_response_t *response)
{
    const char *reached = NULL;

    (void)curl_easy_getinfo(exchange->curl, CURLINFO_PRIMARY_IP, &reached);
    if ((!reached || !reached[0]) && exchange->peer)
        reached = exchange->peer;
    response->address = reached && reached[0] ? apr_pstrdup(exchange->pool, reached) : NULL;
    response->stage = code == CURLE_OK ? KC_HTTP_STAGE_DONE : stage_of(exchange, code);
}

static kc_rc_t addresses_set(const client_t *client, exchange_t *exchange, kc_err_t *err)
{
    kc_rc_t rc = kc_http_address_find(client->options.resolver, exchange->request->url,
                                      exchange->host, client->options.stop, &exchange->timeout_ms,
                                      &exchange->address, exchange->pool, err);

    if (rc != KC_OK)
        return rc;
    exchange->addresses = curl_slist_append(NULL, exchange->address.line);
    if (!exchange->addresses ||
        curl_easy_setopt(exchange->curl, CURLOPT_RESOLVE, exchange->addresses) != CURLE_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "%s: libcurl takes no address",
                       exchange->host);
    return KC_OK;
}

static void addresses_check(const exchange_t *exchange, CURLcode code)
{
    char *used = NULL;
    long made = 0;

    (void)curl_easy_getinfo(exchange->curl, CURLINFO_NUM_CONNECTS, &made);
    (void)curl_easy_getinfo(exchange->curl, CURLINFO_PRIMARY_IP, &used);
    kc_http_address_check(&exchange->address, code == CURLE_OK, made ? used : NULL);
}

/* libcurl's limit for a connection is one for TLS too. Where TCP has come about and TLS has not,
 * the host is there but slow: it is tried once more, with all the time that is left. */
static CURLcode exchange_perform(const exchange_t *exchange)
{
    const int64_t until = kc_wait_limit_now() + exchange->timeout_ms;
    CURLcode code = curl_easy_perform(exchange->curl);
    curl_off_t ready = 0;
    int64_t left = until - kc_wait_limit_now();

    (void)curl_easy_getinfo(exchange->curl, CURLINFO_PRETRANSFER_TIME_T, &ready);
    if (code != CURLE_OPERATION_TIMEDOUT || !exchange->peer || ready || left < 1 ||
        curl_easy_setopt(exchange->curl, CURLOPT_TIMEOUT_MS, (long)left) != CURLE_OK ||
        curl_easy_setopt(exchange->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)left) != CURLE_OK)
        return code;
    return curl_easy_perform(exchange->curl);
}

static kc_rc_t exchange_run(client_t *client, exchange_t *exchange, kc_http_response_t *response,
                            kc_err_t *err)
{
    CURLcode code;
    kc_rc_t rc;

    if (!headers_add(exchange))
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "%s: the request's headers cannot be made",
                       exchange->host);
    rc = client->options.resolver ? addresses_set(client, exchange, err) : KC_OK;
    if (rc != KC_OK)
        return rc;
    code = limits_set(exchange->curl, &client->options, exchange->timeout_ms,
                      kc_http_address_connect_limit(&exchange->address, exchange->timeout_ms));
    if (code == CURLE_OK)
        code = tls_set(exchange->curl, &exchange->pems);
    if (code == CURLE_OK)
        code = request_set(exchange);
    if (code != CURLE_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "%s: an option of libcurl: %s",
                       exchange->host, curl_easy_strerror(code));
    code = exchange_perform(exchange);
    fate_fill(exchange, code, response);
    addresses_check(exchange, code);
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_BUSY, "%s: this child ends", exchange->host);
    if (code != CURLE_OK)
        return KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_DOWN, "%s: %s", exchange->host,
                       failure_text(exchange, code));
    if (!exchange->is_head_whole) {
        response->stage = KC_HTTP_STAGE_ANSWER;
        return KC_FAIL(err, KC_DOWN, KC_ERR_PROVIDER_DOWN, "%s: the answer's head is cut short",
                       exchange->host);
    }
    response_fill(exchange, response);
    return KC_OK;
}

static kc_rc_t exchange_leased(client_t *client, const kc_http_request_t *request, apr_pool_t *pool,
                               kc_http_response_t *response, kc_err_t *err)
{
    exchange_t exchange;
    uint32_t since;
    kc_rc_t rc;

    memset(&exchange, 0, sizeof(exchange));
    exchange.timeout_ms = request->timeout_ms;
    exchange.request = request;
    exchange.pool = pool;
    kc_http_body_init(&exchange.body, request->body_max ? request->body_max : KC_HTTP_BODY_MAX,
                      pool);
    kc_http_address_host(request->url, exchange.host);
    if (client->options.hold_pems)
        client->options.hold_pems(client->options.pems_context, pool, &exchange.pems);
    since = count_changes(client, &exchange.pems);
    exchange.curl = handle_take(client, since);
    if (!exchange.curl)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "%s: libcurl gives no handle",
                       exchange.host);
    rc = exchange_run(client, &exchange, response, err);
    handle_give(client, exchange.curl, since);
    headers_free(&exchange);
    curl_slist_free_all(exchange.addresses);
    return rc;
}

static kc_rc_t curl_perform(kc_http_t *http, const kc_http_request_t *request, apr_pool_t *pool,
                            kc_http_response_t *response, kc_err_t *err)
{
    client_t *client = (client_t *)(void *)http;
    kc_http_gate_t *gate = client->options.gate;
    kc_http_request_t timed;
    kc_rc_t rc;

    memset(response, 0, sizeof(*response));
    response->content_type = "";
    response->body = "";
    if (!kc_http_address_is_http(request->url))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_DISCOVERY_ENDPOINT,
                       "a back-channel URL is neither http nor https");
    rc = kc_http_gate_admit(gate, request, client->options.timeout_ms, client->options.stop, &timed,
                            err);
    if (rc != KC_OK)
        return rc;
    rc = exchange_leased(client, &timed, pool, response, err);
    kc_http_gate_tell(gate, rc == KC_OK);
    kc_http_gate_leave(gate);
    return rc;
}

/* ---------------------------------------------------------------- making */

static apr_status_t curl_end(void *data)
{
    (void)data;
    curl_global_cleanup();
    return APR_SUCCESS;
}

kc_rc_t kc_http_curl_start(apr_pool_t *pool, kc_err_t *err)
{
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);

    if (code != CURLE_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "libcurl: %s", curl_easy_strerror(code));
    apr_pool_cleanup_register(pool, NULL, curl_end, apr_pool_cleanup_null);
    return KC_OK;
}

kc_rc_t kc_http_curl_create(const kc_http_curl_options_t *options, apr_pool_t *pool,
                            kc_http_t **out, kc_err_t *err)
{
    client_t *client;

    if (options->timeout_ms < 1 || options->timeout_ms > 600000 || !options->gate ||
        options->gate->limit < 1)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG,
                       "back channel: a timeout of 1 ms to 10 minutes and at least one exchange");
    client = apr_pcalloc(pool, sizeof(*client));
    client->http.perform = curl_perform;
    client->options = *options;
    if (pthread_mutex_init(&client->lock, NULL))
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "back channel: no lock can be made");
    apr_pool_cleanup_register(pool, client, client_close, apr_pool_cleanup_null);
    *out = &client->http;
    return KC_OK;
}
