/* The check of Keycloak's clock.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check_clock.h"

#include <apr_date.h>

enum { ROUNDING = 2 /* seconds: what is told has no fractions, and an answer takes time */ };

void kc_check_clock_note(kc_check_t *check, int64_t seconds)
{
    const kc_env_t *env = check->rp->env;

    if (check->has_clock)
        return;
    check->has_clock = 1;
    check->clock_ahead = seconds - env->now(env->context);
}

void kc_check_clock_read(kc_check_t *check, const char *date)
{
    const apr_time_t told = date ? apr_date_parse_http(date) : APR_DATE_BAD;

    if (told != APR_DATE_BAD)
        kc_check_clock_note(check, apr_time_sec(told));
}

void kc_check_clock_tell(const kc_check_t *check)
{
    const int64_t skew = check->rp->conf->clock_skew, ahead = check->clock_ahead;
    const kc_check_fault_t unknown = {
        KC_CHECK_UNKNOWN, "issuer.clock", KC_ERR_NONE,
        "compare the clocks by hand, or give this check a user (KEYCLOAK_CHECK_USER)"};
    kc_check_fault_t wrong = {KC_CHECK_WARNING, "issuer.clock", KC_ERR_NONE,
                              "synchronise the clocks of both hosts (NTP)"};

    if (!check->has_clock) {
        kc_check_report_add(check->report, &unknown,
                            "Keycloak's answers have no Date, and there is no token to see its "
                            "clock by");
        return;
    }
    if (ahead >= -ROUNDING && ahead <= ROUNDING) {
        kc_check_report_ok(check->report, "issuer.clock", "Keycloak's clock is this host's");
        return;
    }
    if (ahead > skew || ahead < -skew) {
        wrong.outcome = KC_CHECK_FAILED;
        wrong.reason = KC_ERR_TOKEN_TIME;
    }
    kc_check_report_add(check->report, &wrong,
                        "Keycloak's clock is %" APR_INT64_T_FMT
                        " s %s this host's; KeycloakClockSkew allows %" APR_INT64_T_FMT " s",
                        ahead < 0 ? -ahead : ahead, ahead < 0 ? "behind" : "ahead of", skew);
}
