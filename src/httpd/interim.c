/* Interim answers: no backend sets this module's cookies before its answer, or by an upgrade.
 * SPDX-License-Identifier: Apache-2.0 */
#include "interim.h"

#include <httpd.h>

#include <http_connection.h>
#include <util_filter.h>

#include "config.h"
#include "log.h"

#include "core/base/header_block.h"

/* ap_send_interim_response writes 1xx answers, including 101 of a WebSocket, to the connection's
 * first filter, past those of the request. mod_proxy_wstunnel does the same with everything from
 * its backend. A filter here is the connection's first one from the reading of a request until
 * answers.c sees the answer's headers. The request's own chain continues with the filter that was
 * first before. So the answer itself does not pass this filter, and costs nothing. Only the answer
 * of a CGI program that writes all of it ("nph-...") does, because httpd skips the request's
 * filters for it.
 *
 * httpd makes the filter once for each connection. It is reinserted by hand, because httpd would
 * allocate another one from the connection's pool for each request. */

static const char filter_name[] = "AKC_INTERIM";
static ap_filter_rec_t *filter_handle;

/* State of a connection. */
typedef struct {
    ap_filter_t *filter;
    request_rec *r; /* while is_on */
    kc_header_block_t block;
    int is_on;
} watch_t;

static void begin(watch_t *watch, request_rec *r)
{
    static const kc_header_block_t nothing = {NULL, 0, 0};

    watch->r = r;
    watch->block = nothing;
    watch->is_on = 1;
}

void akc_interim_watch(request_rec *r)
{
    conn_rec *c = r->connection;
    watch_t *watch = ap_get_module_config(c->conn_config, &auth_keycloak_module);

    if (!watch) {
        watch = apr_pcalloc(c->pool, sizeof(*watch));
        ap_set_module_config(c->conn_config, &auth_keycloak_module, watch);
        watch->filter = ap_add_output_filter_handle(filter_handle, watch, NULL, c);
    } else if (!watch->is_on) {
        watch->filter->next = c->output_filters;
        c->output_filters = watch->filter;
    }
    begin(watch, r);
}

void akc_interim_watch_answer(request_rec *r)
{
    watch_t *watch = ap_get_module_config(r->connection->conn_config, &auth_keycloak_module);
    ap_filter_t *at;

    if (!watch || !watch->is_on)
        return;
    for (at = r->output_filters; at && at != watch->filter; at = at->next) {
        if (at->next == watch->filter->next)
            at->next = watch->filter;
    }
}

/* Data on its way may still pass the filter, which keeps its next one. */
static void end(watch_t *watch, conn_rec *c)
{
    watch->is_on = 0;
    if (c->output_filters == watch->filter)
        c->output_filters = watch->filter->next;
    else
        ap_remove_output_filter(watch->filter);
}

void akc_interim_end(conn_rec *c)
{
    ap_filter_t *first = c->output_filters;
    watch_t *watch;

    if (first->frec == filter_handle) /* nearly always */
        watch = first->ctx;
    else
        watch = ap_get_module_config(c->conn_config, &auth_keycloak_module);
    if (watch && watch->is_on)
        end(watch, c);
}

/* ---------------------------------------------------------------- filter */

/* Only these buckets end what is sent here: a tunnel ends with its connection. */
static int is_end(const apr_bucket *bucket)
{
    return APR_BUCKET_IS_EOS(bucket) || AP_BUCKET_IS_EOR(bucket) || AP_BUCKET_IS_EOC(bucket);
}

void akc_interim_log_cookie(request_rec *r)
{
    AKC_LOG_REQUEST_AT(APLOG_WARNING, r, KC_ERR_FOREIGN_COOKIE,
                       "a backend sets a cookie with the name of one of this module's, or clears "
                       "all cookies; that was removed from its answer to %s",
                       r->uri ? r->uri : "-");
}

/* Puts a block before the bucket. After an interim answer comes another one, or the answer. */
static void put_block(watch_t *watch, ap_filter_t *f, apr_bucket *bucket)
{
    const akc_server_t *server = akc_config_server(watch->r->server);
    int status = kc_header_block_status(&watch->block);
    request_rec *r = watch->r;

    if (kc_header_block_drop(&watch->block, server->cookies, server->cookie_count, r->pool))
        akc_interim_log_cookie(r);
    APR_BUCKET_INSERT_BEFORE(bucket, apr_bucket_heap_create(watch->block.text, watch->block.len,
                                                            NULL, f->c->bucket_alloc));
    begin(watch, r);
    if (status == HTTP_SWITCHING_PROTOCOLS || status >= HTTP_OK)
        end(watch, f->c);
}

static apr_status_t refuse(watch_t *watch, conn_rec *c)
{
    AKC_LOG_REQUEST_AT(APLOG_WARNING, watch->r, KC_ERR_FOREIGN_COOKIE,
                       "a backend's headers before its answer to %s are over %d bytes, and may set "
                       "a cookie with the name of one of this module's: the connection is closed",
                       watch->r->uri ? watch->r->uri : "-", KC_HEADER_BLOCK_MAX);
    c->aborted = 1;
    return APR_ECONNABORTED;
}

/* Takes the bytes of a bucket that belong to the block. */
static apr_status_t take(watch_t *watch, ap_filter_t *f, apr_bucket *bucket)
{
    const char *data;
    size_t len, used;
    apr_status_t status = apr_bucket_read(bucket, &data, &len, APR_BLOCK_READ);
    kc_rc_t rc;

    if (status != APR_SUCCESS)
        return status;
    rc = kc_header_block_put(&watch->block, data, len, &used, watch->r->pool);
    if (rc == KC_REFUSED)
        return refuse(watch, f->c);
    if (used < len && (status = apr_bucket_split(bucket, used)) != APR_SUCCESS)
        return status;
    if (rc == KC_OK)
        put_block(watch, f, bucket);
    return APR_SUCCESS;
}

static apr_status_t filter(ap_filter_t *f, apr_bucket_brigade *brigade)
{
    watch_t *watch = f->ctx;
    apr_bucket *bucket = APR_BRIGADE_FIRST(brigade), *next;
    apr_status_t status = APR_SUCCESS;

    for (; watch->is_on && bucket != APR_BRIGADE_SENTINEL(brigade); bucket = next) {
        if (is_end(bucket)) {
            if (watch->block.len) /* as far as it has arrived */
                put_block(watch, f, bucket);
            if (watch->is_on)
                end(watch, f->c);
            break;
        }
        if (!APR_BUCKET_IS_METADATA(bucket))
            status = take(watch, f, bucket);
        if (status != APR_SUCCESS)
            return status;
        next = APR_BUCKET_NEXT(bucket); /* now that it is split */
        if (!APR_BUCKET_IS_METADATA(bucket))
            apr_bucket_delete(bucket);
    }
    return APR_BRIGADE_EMPTY(brigade) ? APR_SUCCESS : ap_pass_brigade(f->next, brigade);
}

void akc_interim_register(apr_pool_t *pool)
{
    (void)pool;
    filter_handle = ap_register_output_filter(filter_name, filter, NULL, AP_FTYPE_CONNECTION);
}
