/* The session's cookie.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session_cookie.h"

kc_bytes_t kc_session_cookie_find(const kc_rp_t *rp, int is_https, const char *header)
{
    const kc_rp_names_t *names = &rp->names[is_https];
    kc_bytes_t value = {NULL, 0};

    (void)kc_cookie_find(header, names->session, names->session_len, &value);
    return value;
}

kc_cookie_set_t kc_session_cookie_describe(const kc_rp_t *rp, int is_https)
{
    static const char *const same_site[] = {"Lax", "Strict", "None"};
    kc_cookie_set_t cookie = {rp->names[is_https].session, "", NULL, NULL, NULL, 0, 0};

    cookie.domain = rp->conf->cookie_domain;
    cookie.same_site = same_site[rp->conf->cookie_same_site];
    cookie.is_secure = is_https;
    return cookie;
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
