/* Takes mod_watchdog's functions away, or has them refuse with Define WATCHDOG_REFUSES: Debian's
 * httpd has it built in, so that no test could do without it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include <apr_optional.h>
#include <http_config.h>
#include <http_core.h>

extern module AP_MODULE_DECLARE_DATA watchdog_gone_module;

static apr_status_t refuse_instance(void **watchdog, const char *name, int parent, int singleton,
                                    apr_pool_t *pool)
{
    (void)name;
    (void)parent;
    (void)singleton;
    (void)pool;
    *watchdog = NULL;
    return APR_EGENERAL;
}

static int start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main)
{
    (void)pconf;
    (void)plog;
    (void)ptemp;
    (void)main;
    apr_dynamic_fn_register("ap_watchdog_get_instance", ap_exists_config_define("WATCHDOG_REFUSES")
                                                            ? (apr_opt_fn_t *)refuse_instance
                                                            : NULL);
    return OK;
}

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_post_config(start, NULL, NULL, APR_HOOK_REALLY_FIRST);
}

AP_DECLARE_MODULE(watchdog_gone) = {STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL,
                                    register_hooks,          0};
