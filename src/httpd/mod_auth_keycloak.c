/* The module record and its hooks.
 * SPDX-License-Identifier: Apache-2.0 */
#include <mod_auth.h>

#include "answers.h"
#include "ask.h"
#include "check_authn.h"
#include "config.h"
#include "dump.h"
#include "export.h"
#include "gateway/ext_authz.h"
#include "gateway/forward_auth.h"
#include "gateway/gateway_check.h"
#include "guards.h"
#include "handlers/account.h"
#include "handlers/endpoints.h"
#include "handlers/health.h"
#include "handlers/metrics.h"
#include "interim.h"
#include "lifecycle.h"
#include "log_format.h"
#include "process.h"
#include "request.h"
#include "require.h"
#include "respond.h"
#include "streams.h"
#include "traces.h"

static void register_start(void)
{
    static const char *const watchdog[] = {"mod_watchdog.c", NULL};

    ap_hook_pre_config(akc_log_format_register, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(akc_lifecycle_check, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(akc_process_check, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(akc_gateway_check_check, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(akc_guards_check, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_test_config(akc_dump_print, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_test_config(akc_ask_test, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(akc_process_start, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_post_config(akc_gateway_check_start, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_post_config(akc_guards_start, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_post_config(akc_lifecycle_start, NULL, NULL, APR_HOOK_MIDDLE);
    /* before mod_watchdog starts the thread that uses what is made here */
    ap_hook_child_init(akc_lifecycle_child, NULL, watchdog, APR_HOOK_MIDDLE);
}

static void register_hooks(apr_pool_t *pool)
{
    register_start();
    ap_hook_pre_read_request(akc_traces_before_line, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_quick_handler(akc_traces_behind_headers, NULL, NULL, APR_HOOK_REALLY_FIRST - 1);
    /* before every other module, so that none sees headers that the client may not send */
    ap_hook_post_read_request(akc_export_scrub, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* before mod_proxy and mod_rewrite: the module's addresses never leave this server */
    ap_hook_pre_translate_name(akc_endpoints_translate, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_translate_name(akc_endpoints_translate, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_map_to_storage(akc_endpoints_map, NULL, NULL, APR_HOOK_REALLY_FIRST);
    /* After mod_authz_core: what that forbids stays forbidden. Whether a path needs a sign-in
     * depends on the path, so httpd must ask again after each redirect. */
    ap_hook_check_access_ex(akc_check_authn_access, NULL, NULL, APR_HOOK_REALLY_LAST,
                            AP_AUTH_INTERNAL_PER_URI);
    ap_hook_force_authn(akc_require_force, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_authn(akc_check_authn_user, NULL, NULL, APR_HOOK_MIDDLE,
                        AP_AUTH_INTERNAL_PER_URI);
    ap_hook_fixups(akc_request_forget_anonymous, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_note_auth_failure(akc_check_authn_note, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_insert_error_filter(akc_export_hide, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_insert_error_filter(akc_respond_forbid, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_insert_error_filter(akc_forward_auth_watch, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(akc_endpoints_handle, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(akc_account_operate, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(akc_ext_authz_handle, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(akc_health_handle, NULL, NULL, APR_HOOK_MIDDLE);
    akc_require_register(pool);
    akc_respond_register(pool);
    akc_forward_auth_register(pool);
    akc_streams_register(pool);
    akc_answers_register(pool);
    akc_interim_register(pool);
    akc_metrics_register(pool);
}

AP_DECLARE_MODULE(auth_keycloak) = {
    STANDARD20_MODULE_STUFF, akc_config_create_dir, akc_config_merge_dir, akc_config_create_server,
    akc_config_merge_server, akc_config_commands,   register_hooks,       0};
