/* Interim answers: what a backend sends before its answer, or in its place when it switches
 * protocols, sets no cookies of ours. SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <string.h>
#include <util_filter.h>

#include "core/cookie.h"
#include "mod_auth_keycloak.h"

APLOG_USE_MODULE(auth_keycloak);

/*
 * httpd writes such an answer (status 1xx) to the connection, past the filters of the request. So a
 * filter of the connection looks for them, from the first request on that asks for an upgrade:
 * browsers take cookies of a 101, by which a WebSocket begins, and of no other one. While the
 * answer itself is sent, and in the tunnel behind a 101, it hands on what comes.
 */

static const char filter_name[] = "AKC_INTERIM";
static const char interim[] = "HTTP/1.1 1", switching[] = "HTTP/1.1 101";

typedef struct {
    const akc_server_t *server; /* of the request under way */
    int is_awaited;             /* its answer has not begun */
    apr_bucket_brigade *held;   /* of an interim answer that is not whole yet */
} state_t;

static ap_filter_rec_t *filter_handle;

/* ---------------------------------------------------------------- its lines */

/* 1 for a line (without its end) that sets a cookie of ours. */
static int is_ours(const akc_server_t *server, const char *line, size_t len, apr_pool_t *pool)
{
    static const char name[] = "Set-Cookie";
    const char *colon = memchr(line, ':', len);
    size_t start = sizeof(name) - 1, name_len = colon ? (size_t)(colon - line) : 0;

    if (name_len < start || strncasecmp(line, name, start) != 0 ||
        (name_len != start && (name_len != start + 1 || line[start] != '2')))
        return 0;
    return kc_cookie_is_set(kc_buf_copy(colon + 1, len - name_len - 1, pool), server->cookies,
                            server->cookie_count);
}

static const char *line_end(const char *at, const char *end)
{
    const char *feed = memchr(at, '\n', (size_t)(end - at));

    return feed ? feed + 1 : end;
}

/* Takes the lines that set cookies of ours out of text, and gives its new length. */
static size_t clean(const akc_server_t *server, char *text, size_t len, apr_pool_t *pool)
{
    const char *at = text, *end = text + len, *next;
    char *out = text;

    for (; at < end; at = next) {
        size_t size, bare;

        next = line_end(at, end);
        size = bare = (size_t)(next - at);
        while (bare && (at[bare - 1] == '\n' || at[bare - 1] == '\r'))
            bare--;
        if (is_ours(server, at, bare, pool))
            continue;
        memmove(out, at, size);
        out += size;
    }
    return (size_t)(out - text);
}

/* ---------------------------------------------------------------- the filter */

static int has_flush(const apr_bucket_brigade *brigade)
{
    const apr_bucket *at;

    for (at = APR_BRIGADE_FIRST(brigade); at != APR_BRIGADE_SENTINEL(brigade);
         at = APR_BUCKET_NEXT(at)) {
        if (APR_BUCKET_IS_FLUSH(at))
            return 1;
    }
    return 0;
}

/* httpd writes an interim answer itself, into memory. */
static int is_interim(const apr_bucket_brigade *brigade)
{
    apr_bucket *at = APR_BRIGADE_FIRST(brigade);
    const char *data;
    apr_size_t len;

    return at != APR_BRIGADE_SENTINEL(brigade) &&
           (APR_BUCKET_IS_HEAP(at) || APR_BUCKET_IS_TRANSIENT(at)) &&
           apr_bucket_read(at, &data, &len, APR_NONBLOCK_READ) == APR_SUCCESS &&
           len >= sizeof(interim) - 1 && memcmp(data, interim, sizeof(interim) - 1) == 0;
}

static void replace_data(apr_bucket_brigade *brigade, const char *data, size_t len,
                         apr_bucket_alloc_t *alloc)
{
    apr_bucket *at, *next;

    for (at = APR_BRIGADE_FIRST(brigade); at != APR_BRIGADE_SENTINEL(brigade); at = next) {
        next = APR_BUCKET_NEXT(at);
        if (!APR_BUCKET_IS_METADATA(at))
            apr_bucket_delete(at);
    }
    APR_BRIGADE_INSERT_HEAD(brigade, apr_bucket_heap_create(data, len, NULL, alloc));
}

static apr_status_t send_clean(ap_filter_t *f, state_t *state, apr_pool_t *pool)
{
    char *text;
    apr_size_t len, left;
    apr_status_t status = apr_brigade_pflatten(state->held, &text, &len, pool);

    if (status != APR_SUCCESS)
        return status;
    if (len >= sizeof(switching) - 1 && memcmp(text, switching, sizeof(switching) - 1) == 0)
        state->is_awaited = 0;
    left = clean(state->server, text, len, pool);
    if (left < len) {
        ap_log_cerror(APLOG_MARK, APLOG_WARNING, 0, f->c,
                      "%s: a backend sets a cookie that is named like one of this module's, which "
                      "is taken out of its interim answer (1xx)",
                      kc_err_row(KC_ERR_FOREIGN_COOKIE)->tag);
        replace_data(state->held, text, left, f->c->bucket_alloc);
    }
    return ap_pass_brigade(f->next, state->held);
}

/* A long one comes in pieces; httpd flushes behind the last. */
static apr_status_t filter(ap_filter_t *f, apr_bucket_brigade *brigade)
{
    state_t *state = f->ctx;
    apr_status_t status;
    apr_pool_t *pool;

    if (!state->is_awaited || (APR_BRIGADE_EMPTY(state->held) && !is_interim(brigade)))
        return ap_pass_brigade(f->next, brigade);
    status = ap_save_brigade(f, &state->held, &brigade, f->c->pool);
    if (status != APR_SUCCESS || !has_flush(state->held))
        return status;
    if (apr_pool_create(&pool, f->c->pool) != APR_SUCCESS)
        return APR_ENOMEM;
    status = send_clean(f, state, pool);
    apr_brigade_cleanup(state->held);
    apr_pool_destroy(pool);
    return status;
}

void akc_interim_await(request_rec *r)
{
    conn_rec *c = r->connection;
    state_t *state = ap_get_module_config(c->conn_config, &auth_keycloak_module);

    if (!state) {
        state = apr_pcalloc(c->pool, sizeof(*state));
        state->held = apr_brigade_create(c->pool, c->bucket_alloc);
        ap_set_module_config(c->conn_config, &auth_keycloak_module, state);
        (void)ap_add_output_filter_handle(filter_handle, state, NULL, c);
    }
    state->server = akc_config_server(r->server);
    state->is_awaited = 1;
}

void akc_interim_end(const request_rec *r)
{
    state_t *state = ap_get_module_config(r->connection->conn_config, &auth_keycloak_module);

    if (state)
        state->is_awaited = 0;
}

void akc_interim_register(apr_pool_t *pool)
{
    (void)pool;
    filter_handle = ap_register_output_filter(filter_name, filter, NULL, AP_FTYPE_CONNECTION);
}
