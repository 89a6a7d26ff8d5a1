/* The session's cookie.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session_cookie.h"

#include <apr_strings.h>
#include <string.h>

#include "rp.h"
#include "session/session.h"
#include "session/session_view.h"

enum { RIVALS_MAX = 4 /* cookies of one name that are looked up */ };

kc_bytes_t kc_session_cookie_find(const kc_rp_t *rp, int is_https, const char *header)
{
    const kc_cookie_names_t *names = &rp->names[is_https];
    kc_bytes_t value = {NULL, 0};

    (void)kc_cookie_find(header, names->session, names->session_len, &value);
    return value;
}

/* One of several cookies of the name, and the session found for it. */
typedef struct rival_t {
    kc_bytes_t value;
    kc_session_state_t state;
    kc_session_t session;
} rival_t;

static int is_same(kc_bytes_t a, kc_bytes_t b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static int is_good(const rival_t *rival)
{
    return rival->state == KC_SESSION_LIVE || rival->state == KC_SESSION_STALE;
}

/* The one that counts; NULL when they are of two users, so that neither does. */
static const rival_t *better(const rival_t *a, const rival_t *b)
{
    if (!is_good(a) || !is_good(b))
        return is_good(b) || (b->state == KC_SESSION_UNKNOWN && !is_good(a)) ? b : a;
    if (strcmp(a->session.sub, b->session.sub) != 0)
        return NULL;
    return b->session.created > a->session.created ? b : a;
}

/* The cookies of exactly this name, each value once; RIVALS_MAX + 1 when there are more. */
static size_t find_rivals(const char *name, const char *header, rival_t *rivals)
{
    kc_cookie_item_t items[KC_COOKIE_LIST_MAX];
    size_t listed = kc_cookie_list(header, name, items, KC_COOKIE_LIST_MAX), count = 0, i, j;

    for (i = 0; i < listed && i < KC_COOKIE_LIST_MAX && count <= RIVALS_MAX; i++) {
        for (j = 0; j < count && !is_same(rivals[j].value, items[i].value); j++)
            ;
        if (j == count && items[i].name.len == strlen(name))
            rivals[count++].value = items[i].value;
    }
    return listed > KC_COOKIE_LIST_MAX ? RIVALS_MAX + 1 : count;
}

const char *kc_session_cookie_settle(const kc_rp_t *rp, int is_https, const char *header,
                                     apr_pool_t *pool)
{
    const char *name = rp->names[is_https].session, *rest;
    rival_t rivals[RIVALS_MAX + 1];
    const rival_t *best = rivals;
    size_t i, count = header ? find_rivals(name, header, rivals) : 0;

    if (!count || count > RIVALS_MAX || kc_session_cookie_find(rp, is_https, header).data)
        return header;
    for (i = 0; i < count && best; i++) {
        rivals[i].state = kc_session_peek(rp, rivals[i].value, pool, &rivals[i].session, NULL);
        best = better(best, &rivals[i]);
    }
    if (!best || (!is_good(best) && best->state != KC_SESSION_UNKNOWN))
        return header;
    rest = kc_cookie_strip(header, &name, 1, pool);
    return apr_pstrcat(pool, name, "=", kc_buf_copy(best->value.data, best->value.len, pool),
                       rest ? "; " : NULL, rest, NULL);
}

kc_cookie_set_t kc_session_cookie_describe(const kc_rp_t *rp, int is_https)
{
    static const char *const same_site[] = {KC_CHOICES_ARRAY(SAME_SITE)};
    kc_cookie_set_t cookie = {rp->names[is_https].session, "", NULL, NULL, NULL, 0, 0};

    cookie.domain = rp->conf->cookie_domain;
    cookie.same_site = same_site[rp->conf->cookie_same_site];
    cookie.is_secure = is_https;
    return cookie;
}

long kc_session_cookie_max_age(const kc_rp_t *rp, const kc_session_t *session)
{
    const kc_conf_t *conf = rp->conf;
    int64_t left = conf->session_max, end = session->expires;
    int64_t now = rp->env->now(rp->env->context);

    if (!conf->cookie_persistent)
        return -1;
    if (!(session->refresh_at && conf->refresh))
        end = kc_session_view_earlier(end, session->token_expires + conf->clock_skew);
    if (end - now < left)
        left = end - now;
    return left > 0 ? (long)left : 1;
}

void kc_session_cookie_forget(const kc_rp_t *rp, int is_https, apr_pool_t *pool,
                              apr_array_header_t *cookies)
{
    kc_cookie_set_t session = kc_session_cookie_describe(rp, is_https);
    kc_cookie_set_t rounds = session;

    rounds.name = rp->names[is_https].rounds;
    rounds.domain = NULL;
    rounds.same_site = "Lax";
    APR_ARRAY_PUSH(cookies, const char *) = kc_cookie_format(&session, pool);
    APR_ARRAY_PUSH(cookies, const char *) = kc_cookie_format(&rounds, pool);
}
