/* The guard against sign-in loops: a cookie counts the sign-ins that this browser finished within a
 * minute.
 * SPDX-License-Identifier: Apache-2.0 */
#include "login/login_loop.h"

#include <apr_strings.h>
#include <string.h>

#include "base/cookie.h"

enum { NUMBERS = 3, TIME_DIGITS = 18, COUNT_DIGITS = 3 };

/* Tabs that sign in at the same time count as one round: only a sign-in that began after another
 * one had finished is counted. Step-up sign-ins of a signed-in user are counted separately, because
 * a user who visits several locations with higher requirements is in no loop. But two locations
 * with requirements that exclude each other could make a loop. */
typedef struct rounds_t {
    int64_t since;
    unsigned int count;
    unsigned int steps;
} rounds_t;

/* The numbers of the cookie, with dots between them. Returns their count; 0: not of our form. */
static int read_numbers(kc_bytes_t text, int64_t numbers[NUMBERS])
{
    int at = 0, digits = 0;
    size_t i;

    for (i = 0; i < text.len; i++) {
        const int letter = ((const unsigned char *)text.data)[i];

        if (letter == '.' && digits && at < NUMBERS - 1) {
            at++;
            digits = 0;
        } else if (letter >= '0' && letter <= '9' && digits < (at ? COUNT_DIGITS : TIME_DIGITS)) {
            numbers[at] = numbers[at] * 10 + (letter - '0');
            digits++;
        } else {
            return 0;
        }
    }
    return digits ? at + 1 : 0;
}

static rounds_t read_rounds(const kc_rp_t *rp, const kc_browser_t *client)
{
    const char *name = rp->names[client->is_https].rounds;
    int64_t now = rp->env->now(rp->env->context);
    rounds_t rounds = {now, 0, 0};
    kc_bytes_t value;
    int64_t numbers[NUMBERS] = {0, 0, 0}; /* since, count, steps */

    if (kc_cookie_find(client->cookies, name, strlen(name), &value) != KC_OK ||
        read_numbers(value, numbers) < 2 || numbers[0] > now ||
        now - numbers[0] >= KC_LOGIN_ROUNDS_SECONDS)
        return rounds;
    rounds.since = numbers[0];
    rounds.count = (unsigned int)numbers[1];
    rounds.steps = (unsigned int)numbers[2];
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
