/* The check that asks everybody: the subjects in their order.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check/check.h"

#include "check/check_admin.h"
#include "check/check_authorization.h"
#include "check/check_client.h"
#include "check/check_clock.h"
#include "check/check_discovery.h"
#include "check/check_keys.h"
#include "check/check_logout.h"
#include "check/check_crypto_key.h"
#include "check/check_memcached.h"
#include "check/check_settings.h"
#include "check/check_tokens.h"

/* The secrets that a foreign text could repeat. */
static void hide_secrets(const kc_check_t *check)
{
    const kc_conf_t *conf = check->rp->conf;
    int i;

    kc_check_report_hide(check->report, conf->client_secret.text);
    kc_check_report_hide(check->report, check->password);
    kc_check_report_hide(check->report, check->admin_password);
    kc_check_report_hide(check->report, conf->memcached_password.text);
    for (i = 0; conf->crypto_key && i < conf->crypto_key->nelts; i++)
        kc_check_report_hide(check->report,
                             APR_ARRAY_IDX(conf->crypto_key, i, kc_conf_file_t).text);
}

void kc_check_local(const kc_check_t *check)
{
    hide_secrets(check);
    kc_check_settings_tell(check);
    kc_check_crypto_key_tell(check);
    kc_check_memcached_ask(check);
}

void kc_check_run(kc_check_t *check)
{
    const kc_check_fault_t skipped = {KC_CHECK_SKIPPED, "keycloak", KC_ERR_NONE,
                                      "first mend what has failed about the issuer"};

    hide_secrets(check);
    kc_check_discovery_ask(check);
    if (!check->provider) {
        kc_check_report_add(check->report, &skipped,
                            "keys, client, addresses and mappers are not asked about");
        return;
    }
    kc_check_keys_ask(check);
    if (kc_check_authorization_ask(check)) {
        if (kc_check_client_ask(check))
            kc_check_tokens_ask(check);
        kc_check_logout_ask(check);
        kc_check_admin_ask(check);
    }
    kc_check_clock_tell(check);
}
