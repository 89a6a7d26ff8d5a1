/* A request's body: a form, read within limits that are fair to other requests.
 * SPDX-License-Identifier: Apache-2.0 */
#include "body.h"

#include <ap_mpm.h>
#include <apr_strings.h>
#include <string.h>
#include <strings.h>

#include "config.h"
#include "request.h"

#include "core/base/places.h"
#include "core/base/query.h"

enum { LOOK_FIRST_MS = 2, LOOK_MS = 16 /* between two checks for more data */ };

/* A client that sends a form slowly holds a thread. Unknown clients must neither hold many threads,
 * nor take the places of known ones. At the address of back-channel logout, the provider is known
 * only after its body is read; a provider sends that at once. */
typedef struct {
    uint32_t part;      /* of a child's threads, at most */
    int64_t seconds;    /* for a whole body */
    kc_places_t places; /* for bodies that have not arrived at once */
} room_t;

static room_t rooms[] = {
    [AKC_BODY_PROVIDER] = {.part = 8, .seconds = 5},
    [AKC_BODY_STRANGER] = {.part = 16, .seconds = 10},
    [AKC_BODY_KNOWN] = {.part = 8, .seconds = 10},
};

void akc_body_child(void)
{
    int threads = 1;
    size_t i;

    if (ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads) != APR_SUCCESS)
        threads = 1;
    for (i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        uint32_t limit = (uint32_t)threads / rooms[i].part;

        kc_places_init(&rooms[i].places, limit ? limit : 1);
    }
}

typedef struct {
    request_rec *r;
    apr_bucket_brigade *brigade;
    char *data;
    size_t size; /* of memory, at most */
    size_t used;
} reader_t;

static kc_rc_t refuse_size(kc_err_t *err)
{
    return KC_FAIL(err, KC_REFUSED, KC_ERR_FORM, "the body is over %d bytes", KC_QUERY_FORM_MAX);
}

static kc_rc_t refuse_end(kc_err_t *err)
{
    return KC_FAIL(err, KC_REFUSED, KC_ERR_FORM, "the body cannot be read to its end");
}

static kc_rc_t take(reader_t *reader, apr_bucket *bucket, kc_err_t *err)
{
    const char *data;
    apr_size_t len;

    if (apr_bucket_read(bucket, &data, &len, APR_BLOCK_READ) != APR_SUCCESS)
        return refuse_end(err);
    if (len > reader->size - reader->used)
        return refuse_size(err);
    memcpy(reader->data + reader->used, data, len);
    reader->used += len;
    return KC_OK;
}

/* Reads the available data. KC_MISS: the body is not complete yet. */
static kc_rc_t look(reader_t *reader, kc_err_t *err)
{
    kc_rc_t rc = KC_OK;

    while (rc == KC_OK) {
        apr_status_t status =
            ap_get_brigade(reader->r->input_filters, reader->brigade, AP_MODE_READBYTES,
                           APR_NONBLOCK_READ, KC_QUERY_FORM_MAX);
        apr_bucket *at;

        if (APR_STATUS_IS_EAGAIN(status) ||
            (status == APR_SUCCESS && APR_BRIGADE_EMPTY(reader->brigade)))
            return KC_MISS;
        if (status != APR_SUCCESS)
            return refuse_end(err);
        for (at = APR_BRIGADE_FIRST(reader->brigade);
             rc == KC_OK && at != APR_BRIGADE_SENTINEL(reader->brigade); at = APR_BUCKET_NEXT(at)) {
            if (APR_BUCKET_IS_EOS(at))
                return KC_OK;
            if (!APR_BUCKET_IS_METADATA(at))
                rc = take(reader, at, err);
        }
        apr_brigade_cleanup(reader->brigade);
    }
    return rc;
}

/* A thread that waits for a body wakes up regularly, because it may have lost its place. */
static kc_rc_t look_again(reader_t *reader, const room_t *room, const kc_place_t *place,
                          kc_err_t *err)
{
    const kc_env_t *env = &akc_config_server(reader->r->server)->env;
    int64_t end = env->elapsed_ms(env->context) + room->seconds * 1000;
    int64_t pause = LOOK_FIRST_MS;
    kc_rc_t rc = KC_MISS;

    while (rc == KC_MISS) {
        if (kc_places_is_lost(place))
            return KC_FAIL(err, KC_DOWN, KC_ERR_FORM_BUSY,
                           "the body is slow, and %u are being read by this child",
                           (unsigned int)room->places.limit);
        if (env->elapsed_ms(env->context) >= end)
            return KC_FAIL(err, KC_REFUSED, KC_ERR_FORM,
                           "the body was not complete after %d seconds", (int)room->seconds);
        apr_sleep(apr_time_from_msec(pause));
        if (pause < LOOK_MS)
            pause *= 2;
        rc = look(reader, err);
    }
    return rc;
}

/* A body that arrives with the request, like a provider's logout token, needs no place. */
static kc_rc_t read_whole(reader_t *reader, room_t *room, const char *who, kc_err_t *err)
{
    kc_place_t place;
    kc_rc_t rc = look(reader, err);

    if (rc != KC_MISS)
        return rc;
    kc_places_enter(&room->places, &place, who);
    rc = look_again(reader, room, &place, err);
    kc_places_leave(&room->places, &place);
    return rc;
}

/* The rest of a body that is too long or too slow is not read: httpd closes the connection. */
static kc_rc_t read_body(reader_t *reader, room_t *room, const char *who, kc_err_t *err)
{
    request_rec *r = reader->r;
    kc_rc_t rc;

    if (ap_setup_client_block(r, REQUEST_CHUNKED_DECHUNK) != OK)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_FORM, "the body's length cannot be understood");
    if (!ap_should_client_block(r))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_FORM, "there is no body");
    if (!r->read_chunked && r->remaining > KC_QUERY_FORM_MAX)
        return refuse_size(err);
    reader->size = r->read_chunked ? KC_QUERY_FORM_MAX : (size_t)r->remaining;
    reader->data = apr_palloc(r->pool, reader->size + 1);
    reader->brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    rc = read_whole(reader, room, who, err);
    apr_brigade_destroy(reader->brigade);
    if (rc == KC_OK && !r->read_chunked && reader->used < reader->size)
        return refuse_end(err);
    reader->data[reader->used] = '\0';
    return rc;
}

static int is_form(request_rec *r)
{
    static const char wanted[] = "application/x-www-form-urlencoded";
    const char *type = apr_table_get(r->headers_in, "Content-Type");
    size_t len = type ? strcspn(type, "; \t") : 0;

    return len == sizeof(wanted) - 1 && strncasecmp(type, wanted, len) == 0;
}

/* The owner under which its places are counted. */
static const char *name_of(const akc_request_t *request, const request_rec *r, akc_body_from_t from)
{
    if (from == AKC_BODY_KNOWN && request->access.state == KC_SESSION_LIVE)
        return request->access.session.user;
    return from == AKC_BODY_KNOWN && r->user ? r->user
                                             : kc_places_network(r->useragent_ip, r->pool);
}

kc_rc_t akc_body_form(request_rec *r, akc_body_from_t from, const char **form, size_t *len,
                      kc_err_t *err)
{
    akc_request_t *request = akc_request_get(r);
    reader_t reader = {.r = r};
    kc_rc_t rc;

    if (r->method_number != M_POST)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_FORM, "a form comes by POST, not %.20s", r->method);
    if (!is_form(r))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_FORM, "the body is no form");
    rc = read_body(&reader, &rooms[from], name_of(request, r, from), err);
    request->has_read = rc == KC_OK;
    *form = reader.data;
    *len = reader.used;
    return rc;
}
