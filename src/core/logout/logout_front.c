/* Front-channel logout: which session ends.
 * SPDX-License-Identifier: Apache-2.0 */
#include "logout/logout_front.h"

#include <string.h>

#include "base/query.h"
#include "crypto/crypto.h"
#include "provider/claims.h"
#include "rp.h"
#include "session/revocation.h"
#include "session/session_audit.h"

static kc_rc_t read_single(const kc_query_t *query, const char *name, const char **out,
                           kc_err_t *err)
{
    kc_rc_t rc = kc_query_single(query, name, out, err);

    if (rc == KC_MISS)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_FORM, "%s is absent", name);
    return rc;
}

static int is_absent(const kc_query_t *query, const char *name)
{
    const char *value;

    return kc_query_single(query, name, &value, NULL) == KC_MISS;
}

/* *sid is NULL when neither is there and need not be (section 2). */
static kc_rc_t read_query(const kc_rp_t *rp, const char *text, apr_pool_t *pool, const char **sid,
                          kc_err_t *err)
{
    const kc_query_t *query;
    const char *issuer;
    kc_rc_t rc = kc_query_parse_answer(text, pool, &query, err);

    *sid = NULL;
    if (rc == KC_OK && rp->conf->front_session == KC_FRONT_SESSION_OPTIONAL &&
        is_absent(query, "iss") && is_absent(query, "sid"))
        return KC_OK;
    if (rc == KC_OK)
        rc = read_single(query, "iss", &issuer, err);
    if (rc == KC_OK)
        rc = read_single(query, "sid", sid, err);
    if (rc != KC_OK) {
        if (err)
            err->reason = KC_ERR_FORM;
        return rc;
    }
    if (strcmp(issuer, rp->conf->issuer) != 0)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_FORM, "iss is %.100s, not %.100s", issuer,
                       rp->conf->issuer);
    if (!kc_claims_is_id_text(*sid))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_FORM, "sid is empty or over %d bytes",
                       KC_CLAIMS_TEXT_MAX);
    return KC_OK;
}

static int is_of(const kc_session_t *session, const char *sid)
{
    return kc_crypto_is_equal(session->sid, strlen(session->sid), sid, strlen(sid));
}

static kc_rc_t take(const kc_rp_t *rp, kc_bytes_t cookie, const char *query, apr_pool_t *pool,
                    kc_session_t *session, int *is_ended, kc_err_t *err)
{
    const kc_audit_event_t event = {.kind = KC_AUDIT_SESSION_ENDED,
                                    .reason = KC_ERR_EVENT_FRONTCHANNEL,
                                    .cause = "front-channel"};
    kc_session_state_t state;
    const char *sid;
    kc_rc_t rc = read_query(rp, query, pool, &sid, err);

    *is_ended = 0;
    if (rc != KC_OK)
        return rc;
    state = kc_session_peek(rp, cookie, pool, session, err);
    if (state == KC_SESSION_UNKNOWN)
        return KC_DOWN;
    if ((state != KC_SESSION_LIVE && state != KC_SESSION_STALE) || (sid && !is_of(session, sid)))
        return KC_OK;
    /* the revocation entry first: from then on every copy of the session is refused */
    if (sid)
        rc = kc_revocation_add(rp, KC_REVOCATION_SID, sid, err);
    if (rc == KC_OK)
        rc = kc_session_end(rp, cookie, pool, err);
    *is_ended = rc == KC_OK;
    if (*is_ended)
        kc_session_audit_tell(rp, session, &event);
    return rc;
}

kc_rc_t kc_logout_front_take(const kc_rp_t *rp, kc_bytes_t cookie, const char *query,
                             apr_pool_t *pool, kc_session_t *session, int *is_ended, kc_err_t *err)
{
    kc_rc_t rc = take(rp, cookie, query, pool, session, is_ended, err);

    if (*is_ended)
        kc_metrics_add(rp->env->metrics,
                       KC_METRICS_CELL(sessions_ended, KC_METRICS_PROVIDER_PAGE, 0, 0), 1);
    if (*is_ended || rc != KC_OK)
        kc_metrics_add(rp->env->metrics,
                       KC_METRICS_CELL(sign_outs, KC_METRICS_FRONT_CHANNEL, kc_metrics_outcome(rc),
                                       kc_metrics_tag(rc, err)),
                       1);
    return rc;
}
