/* The guard against sign-in loops: a cookie counts the sign-ins that this browser finished within a
 * minute.
 * SPDX-License-Identifier: Apache-2.0 */
#include "login/login_loop.h"

#include <apr_strings.h>
#include <stdio.h>
#include <string.h>

#include "base/cookie.h"

/* Tabs that sign in at the same time count as one round: only a sign-in that began after another
 * one had finished is counted. Step-up sign-ins of a signed-in user are counted separately, because
 * a user who visits several locations with higher requirements is in no loop. But two locations
 * with requirements that exclude each other could make a loop. */
typedef struct rounds_t {
    int64_t since;
    unsigned int count;
    unsigned int steps;
} rounds_t;

static rounds_t read_rounds(const kc_rp_t *rp, const kc_browser_t *client)
{
    const char *name = rp->names[client->is_https].rounds;
    int64_t now = rp->env->now(rp->env->context);
    rounds_t rounds = {now, 0, 0};
    kc_bytes_t value;
    char text[32];
    long long since;
    unsigned int count, steps = 0;

    if (kc_cookie_find(client->cookies, name, strlen(name), &value) != KC_OK ||
        value.len >= sizeof(text))
        return rounds;
    memcpy(text, value.data, value.len);
    text[value.len] = '\0';
    if (sscanf(text, "%19lld.%3u.%3u", &since, &count, &steps) < 2 || since > now ||
        now - since >= KC_LOGIN_ROUNDS_SECONDS)
        return rounds;
    rounds.since = since;
    rounds.count = count;
    rounds.steps = steps;
    return rounds;
}

void kc_login_loop_count(const kc_rp_t *rp, const kc_browser_t *client,
                         const kc_login_state_t *state, apr_pool_t *pool,
                         apr_array_header_t *cookies)
{
    rounds_t rounds = read_rounds(rp, client);
    kc_cookie_set_t cookie = {
        rp->names[client->is_https].rounds, NULL, NULL, NULL, "Lax", 60, client->is_https};
    unsigned int *count = state->is_step_up ? &rounds.steps : &rounds.count;

    if (*count <= state->finished)
        (*count)++;
    cookie.value =
        apr_psprintf(pool, "%" APR_INT64_T_FMT ".%u.%u", rounds.since, rounds.count, rounds.steps);
    APR_ARRAY_PUSH(cookies, const char *) = kc_cookie_format(&cookie, pool);
}

kc_rc_t kc_login_loop_check(const kc_rp_t *rp, const kc_browser_t *client,
                            kc_login_request_t *request, kc_err_t *err)
{
    rounds_t rounds = read_rounds(rp, client);
    unsigned int max = request->is_step_up ? KC_LOGIN_STEPS_MAX : KC_LOGIN_ROUNDS_MAX;

    request->finished = request->is_step_up ? rounds.steps : rounds.count;
    if (request->finished >= max)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_LOGIN_LOOP, "%u sign-ins were finished in a minute",
                       max);
    return KC_OK;
}
