/* Answers: those for one user stay out of shared caches, and only this module sets its cookies.
 * SPDX-License-Identifier: Apache-2.0 */
#include "answers.h"

#include <apr_strings.h>
#include <string.h>
#include <util_filter.h>

#include "config.h"
#include "interim.h"
#include "request.h"

#include "core/base/cookie.h"
#include "core/base/path.h"

/* A filter checks the headers once they are complete: after mod_headers and mod_expires, before
 * mod_cache stores anything (AP_FTYPE_CONTENT_SET + 1). An administrator's CACHE filter may let
 * mod_cache store earlier. Against that, a variable is set when the request is let in, and removed
 * by the filter. */

static const char filter_name[] = "AKC_ANSWER";
static const char cache_module[] = "mod_cache.c", include_module[] = "mod_include.c";

/* mod_cache stores nothing for a request that has this variable, even with CacheStorePrivate. */
static const char no_cache_name[] = "no-cache";
static const char no_cache[] = "1";

static const char trailers_name[] = "AKC_TRAILERS";
static ap_filter_rec_t *filter_handle, *trailers_handle;
static int has_cache, has_include; /* these modules are loaded */

void akc_answers_start(void)
{
    has_cache = ap_find_linked_module(cache_module) != NULL;
    has_include = ap_find_linked_module(include_module) != NULL;
}

static void keep_out_of_cache(request_rec *r)
{
    for (; has_cache && r; r = r->main)
        apr_table_setn(r->subprocess_env, no_cache_name, no_cache);
}

void akc_answers_are_for_one(akc_request_t *request, request_rec *r)
{
    if (request->audience == KC_CACHE_CONTROL_ANYBODY)
        request->audience = KC_CACHE_CONTROL_ONE;
    keep_out_of_cache(r);
}

void akc_answers_are_for_nobody(akc_request_t *request, request_rec *r)
{
    request->audience = KC_CACHE_CONTROL_NOBODY;
    keep_out_of_cache(r);
}

/* ---------------------------------------------------------------- filter */

/* Headers that the filter handles. */
typedef enum {
    CACHE_CONTROL,
    CDN_CONTROL,
    CLOUDFLARE_CONTROL,
    AKAMAI_CONTROL,
    NETLIFY_CONTROL,
    VERCEL_CONTROL,
    SURROGATE_CONTROL,
    EDGE_CONTROL,
    ACCEL_EXPIRES,
    SET_COOKIE,
    SET_COOKIE2,
    CLEAR_SITE_DATA,
    FIELDS
} field_t;

enum {
    CACHE_FIELDS = (1U << SET_COOKIE) - 1, /* the bits of those for caches */
    COOKIE_FIELDS = 1U << SET_COOKIE | 1U << SET_COOKIE2 | 1U << CLEAR_SITE_DATA
};

static const char *const field_names[FIELDS] = {
    [CACHE_CONTROL] = "Cache-Control", /* for all caches */
    /* only for those of a delivery network (RFC 9213), in place of the first */
    [CDN_CONTROL] = "CDN-Cache-Control",
    [CLOUDFLARE_CONTROL] = "Cloudflare-CDN-Cache-Control",
    [AKAMAI_CONTROL] = "Akamai-Cache-Control",
    [NETLIFY_CONTROL] = "Netlify-CDN-Cache-Control",
    [VERCEL_CONTROL] = "Vercel-CDN-Cache-Control",
    [SURROGATE_CONTROL] = "Surrogate-Control",
    [EDGE_CONTROL] = "Edge-Control",     /* Akamai's own, which does not know "private" */
    [ACCEL_EXPIRES] = "X-Accel-Expires", /* nginx: a time, 0 for never */
    [SET_COOKIE] = "Set-Cookie",
    [SET_COOKIE2] = "Set-Cookie2", /* of RFC 2965 */
    [CLEAR_SITE_DATA] = "Clear-Site-Data"};

/* The first field that a name can be. The first characters exclude most names. */
static int first_field(const char *name)
{
    int second = name[0] ? name[1] | 0x20 : 0;

    switch (name[0] | 0x20) {
    case 'a':
        return second == 'k' ? AKAMAI_CONTROL : FIELDS;
    case 'c':
        return second == 'a' || second == 'd' || second == 'l' ? CACHE_CONTROL : FIELDS;
    case 'e':
        return second == 'd' ? EDGE_CONTROL : FIELDS;
    case 'n':
        return second == 'e' ? NETLIFY_CONTROL : FIELDS;
    case 'v':
        return second == 'e' ? VERCEL_CONTROL : FIELDS;
    case 's':
        if (second == 'u')
            return SURROGATE_CONTROL;
        return second == 'e' && (name[2] | 0x20) == 't' ? SET_COOKIE : FIELDS;
    case 'x':
        return second == '-' && (name[2] | 0x20) == 'a' ? ACCEL_EXPIRES : FIELDS;
    default:
        return FIELDS;
    }
}

/* With HttpProtocolOptions Unsafe a name may have blanks around it, which clients ignore. */
static field_t field_of(const char *name)
{
    static const char blanks[] = " \t";
    int i;

    if (*name == ' ' || *name == '\t')
        name += strspn(name, blanks);
    for (i = first_field(name); i < FIELDS; i++) {
        size_t len = strlen(field_names[i]);

        if (strncasecmp(name, field_names[i], len) == 0 && !name[len + strspn(name + len, blanks)])
            return (field_t)i;
    }
    return FIELDS;
}

/* One of the two tables that become the answer's headers, and which of the fields it has, as bits.
 * It is read once, name by name, because this runs for each request with a session. */
typedef struct {
    apr_table_t *headers;
    unsigned int found;
} table_t;

static table_t look_at(apr_table_t *headers)
{
    const apr_array_header_t *entries = apr_table_elts(headers);
    table_t table = {headers, 0};
    int i;

    for (i = 0; i < entries->nelts; i++)
        table.found |= 1U << field_of(APR_ARRAY_IDX(entries, i, apr_table_entry_t).key);
    return table;
}

/* All lines of a field as one; NULL: there is none. */
static const char *line_of(request_rec *r, const table_t *table, field_t field)
{
    if (!(table->found & 1U << field))
        return NULL;
    return apr_table_getm(r->pool, table->headers, field_names[field]);
}

static void limit_line(const request_rec *r, const table_t *table, field_t field, const char *line,
                       const kc_cache_control_t *said, kc_cache_control_audience_t audience)
{
    const char *limited = kc_cache_control_limit(line, said, audience, r->pool);

    if (!line)
        apr_table_addn(table->headers, field_names[field], limited);
    else if (limited != line)
        apr_table_setn(table->headers, field_names[field], limited);
}

static void limit_targeted(request_rec *r, const table_t *table, field_t field,
                           kc_cache_control_audience_t audience)
{
    const char *line = line_of(r, table, field);
    kc_cache_control_t said = {0, 0, 0};

    if (!line)
        return;
    if (field == ACCEL_EXPIRES) {
        apr_table_setn(table->headers, field_names[field], "0");
        return;
    }
    kc_cache_control_read(line, &said);
    limit_line(r, table, field, line, &said,
               field == EDGE_CONTROL ? KC_CACHE_CONTROL_NOBODY : audience);
}

static void limit(request_rec *r, const table_t *usual, const table_t *always,
                  kc_cache_control_audience_t audience)
{
    unsigned int found = usual->found | always->found;
    const char *line, *other;
    kc_cache_control_t said = {0, 0, 0};
    int field;

    /* an unmodified answer keeps the directives of the first answer */
    if (!(found & 1U << CACHE_CONTROL) && r->status == HTTP_NOT_MODIFIED)
        return;
    if (!(found & CACHE_FIELDS)) {
        limit_line(r, usual, CACHE_CONTROL, NULL, &said, audience);
        return;
    }
    line = line_of(r, usual, CACHE_CONTROL);
    other = line_of(r, always, CACHE_CONTROL);
    kc_cache_control_read(line, &said);
    kc_cache_control_read(other, &said);
    if (audience == KC_CACHE_CONTROL_ONE && kc_cache_control_is_shared(&said)) {
        if (has_cache && apr_table_get(r->subprocess_env, no_cache_name) == no_cache)
            apr_table_unset(r->subprocess_env, no_cache_name);
        return;
    }
    for (field = CDN_CONTROL;
         (found & CACHE_FIELDS & ~(1U << CACHE_CONTROL)) && field <= ACCEL_EXPIRES; field++) {
        limit_targeted(r, usual, (field_t)field, audience);
        limit_targeted(r, always, (field_t)field, audience);
    }
    if (other && !line)
        limit_line(r, always, CACHE_CONTROL, other, &said, audience);
    else
        limit_line(r, usual, CACHE_CONTROL, line, &said, audience);
}

/* The rest of a line that sets or clears cookies; NULL: nothing is left. */
static const char *harmless(request_rec *r, field_t field, const char *line)
{
    const akc_server_t *server = akc_config_server(r->server);

    if (field == CLEAR_SITE_DATA)
        return kc_cookie_keep_uncleared(line, r->pool);
    return kc_cookie_is_set(line, server->cookies, server->cookie_count) ? NULL : line;
}

static int is_of_cookies(field_t field)
{
    return field == SET_COOKIE || field == SET_COOKIE2 || field == CLEAR_SITE_DATA;
}

/* Other lines stay, in their order. */
static void drop_cookies(request_rec *r, const table_t *table)
{
    const apr_array_header_t *entries;
    int dropped = 0, i;

    if (!(table->found & COOKIE_FIELDS))
        return;
    entries = apr_array_copy(r->pool, apr_table_elts(table->headers));
    apr_table_clear(table->headers);
    for (i = 0; i < entries->nelts; i++) {
        const apr_table_entry_t *entry = &APR_ARRAY_IDX(entries, i, apr_table_entry_t);
        field_t field = field_of(entry->key);
        const char *line = is_of_cookies(field) ? harmless(r, field, entry->val) : entry->val;

        dropped |= line != entry->val;
        if (line)
            apr_table_addn(table->headers, entry->key, line);
    }
    if (dropped)
        akc_interim_log_cookie(r);
}

void akc_answers_drop_cookies(request_rec *r)
{
    const table_t usual = look_at(r->headers_out), always = look_at(r->err_headers_out);
    const akc_request_t *request = akc_request_get(r);

    if (request && request->has_cookies)
        return;
    drop_cookies(r, &usual);
    drop_cookies(r, &always);
}

/* HTTP/2 sends trailers after the body; by then they are all that is left of a proxy's answer. */
static apr_status_t filter_trailers(ap_filter_t *f, apr_bucket_brigade *brigade)
{
    const apr_bucket *at = APR_BRIGADE_LAST(brigade);
    table_t trailers;

    while (at != APR_BRIGADE_SENTINEL(brigade) && APR_BUCKET_IS_METADATA(at) &&
           !APR_BUCKET_IS_EOS(at))
        at = APR_BUCKET_PREV(at);
    if (at != APR_BRIGADE_SENTINEL(brigade) && APR_BUCKET_IS_EOS(at)) {
        trailers = look_at(f->r->trailers_out);
        drop_cookies(f->r, &trailers);
        ap_remove_output_filter(f);
    }
    return ap_pass_brigade(f->next, brigade);
}

static apr_status_t filter(ap_filter_t *f, apr_bucket_brigade *brigade)
{
    const akc_request_t *request = f->ctx;
    const table_t usual = look_at(f->r->headers_out), always = look_at(f->r->err_headers_out);

    ap_remove_output_filter(f);
    akc_interim_end(f->c);
    if (!request || !request->has_cookies) {
        drop_cookies(f->r, &usual);
        drop_cookies(f->r, &always);
    }
    if (request && request->audience != KC_CACHE_CONTROL_ANYBODY)
        limit(f->r, &usual, &always, request->audience);
    return ap_pass_brigade(f->next, brigade);
}

/* mod_include sends the beginning of a page, with the headers, before it requests the parts of the
 * page. A part may be for one user only. 1 when that is possible and the user may be known: what
 * the page's headers say was not said about its parts. */
static int may_get_parts(const akc_request_t *request, const request_rec *r)
{
    const ap_filter_t *at = r->output_filters;

    if (!has_include || !(request->access.cookies || request->authorization))
        return 0;
    for (; at; at = at->next) {
        if (ap_strcasestr(at->frec->name, "includes")) /* mod_filter's own names contain it too */
            return 1;
    }
    return 0;
}

/* The same test as in mod_cgi and mod_cgid. */
static int writes_whole_answer(const request_rec *r)
{
    static const char prefix[] = "nph-";
    const char *name;

    if (!r->handler || !r->filename ||
        (strcmp(r->handler, "cgi-script") != 0 &&
         strcmp(r->handler, "application/x-httpd-cgi") != 0))
        return 0;
    name = strrchr(r->filename, '/');
    return strncmp(name ? name + 1 : r->filename, prefix, sizeof(prefix) - 1) == 0;
}

/* A part makes the whole page what it is itself. An internal redirect of httpd may reveal the user
 * (REDIRECT_KEYCLOAK_SUB). */
static void limit_parts(akc_request_t *request, request_rec *r)
{
    int is_for_one = request->audience == KC_CACHE_CONTROL_ONE;

    if ((is_for_one || request->audience == KC_CACHE_CONTROL_ANYBODY) &&
        (r->main ? is_for_one : may_get_parts(request, r)))
        request->audience = KC_CACHE_CONTROL_PARTS;
    if (request->audience != KC_CACHE_CONTROL_ANYBODY)
        keep_out_of_cache(r);
}

/* Hook: inserts the filter that checks the headers of an answer. */
static void watch(request_rec *r)
{
    akc_request_t *request;

    if (!akc_config_server(r->server)->cookies)
        return;
    request = akc_request_get(r);
    if (request)
        limit_parts(request, r);
    if (r->main)
        return;
    (void)ap_add_output_filter_handle(filter_handle, request, r, r->connection);
    if (r->proto_num >= HTTP_VERSION(2, 0))
        (void)ap_add_output_filter_handle(trailers_handle, NULL, r, r->connection);
    if (writes_whole_answer(r))
        akc_interim_watch_answer(r);
}

/* ---------------------------------------------------------------- before the check */

/* With CacheQuickHandler on, the default, mod_cache answers before any module has checked the
 * request. It does not answer a request with Authorization, nor store its answer. So such a header
 * is set, except for public paths, whose answers are for anybody. */

static const char veil[] = "none";

static int is_public(const akc_server_t *server, const request_rec *r)
{
    return r->uri && r->unparsed_uri &&
           kc_path_is_public(r->uri, r->unparsed_uri, server->conf->public_paths);
}

/* Hook: hides the request from mod_cache's quick handler. */
static int put_veil(request_rec *r, int lookup)
{
    const akc_server_t *server;

    (void)lookup;
    if (!has_cache)
        return DECLINED;
    server = akc_config_server(r->server);
    if (server->rp && !apr_table_get(r->headers_in, "Authorization") && !is_public(server, r))
        apr_table_setn(r->headers_in, "Authorization", veil);
    return DECLINED;
}

/* Hook: removes that header again. */
static int take_veil(request_rec *r, int lookup)
{
    (void)lookup;
    if (has_cache && apr_table_get(r->headers_in, "Authorization") == veil)
        apr_table_unset(r->headers_in, "Authorization");
    return DECLINED;
}

void akc_answers_register(apr_pool_t *pool)
{
    static const char *const cache[] = {cache_module, NULL};

    (void)pool;
    filter_handle = ap_register_output_filter(filter_name, filter, NULL, AP_FTYPE_CONTENT_SET);
    trailers_handle =
        ap_register_output_filter(trailers_name, filter_trailers, NULL, AP_FTYPE_CONTENT_SET);
    /* after mod_headers, which is at APR_HOOK_LAST */
    ap_hook_insert_filter(watch, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_insert_error_filter(watch, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_quick_handler(put_veil, NULL, cache, APR_HOOK_REALLY_FIRST);
    ap_hook_quick_handler(take_veil, cache, NULL, APR_HOOK_FIRST);
}
