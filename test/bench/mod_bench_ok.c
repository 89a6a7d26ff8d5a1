/* A handler that answers 200 at once, without a body and without looking for a file: the minimum
 * work of an external authorization service in httpd.
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <string.h>

extern module AP_MODULE_DECLARE_DATA bench_ok_module;

static int handle(request_rec *r)
{
    if (!r->handler || strcmp(r->handler, "bench-ok") != 0)
        return DECLINED;
    ap_set_content_length(r, 0);
    return OK;
}

/* Unless BENCH_OK_LOOKS is defined: httpd by itself looks into folders and for a .htaccess, which
 * costs about as much as a judge. */
static int translate(request_rec *r)
{
    r->filename = r->uri;
    return OK;
}

static int map(request_rec *r)
{
    (void)r;
    return OK;
}

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_handler(handle, NULL, NULL, APR_HOOK_MIDDLE);
    if (ap_exists_config_define("BENCH_OK_LOOKS"))
        return;
    ap_hook_translate_name(translate, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_map_to_storage(map, NULL, NULL, APR_HOOK_REALLY_FIRST);
}

AP_DECLARE_MODULE(bench_ok) = {
    STANDARD20_MODULE_STUFF, NULL, NULL, NULL, NULL, NULL, register_hooks, AP_MODULE_FLAG_NONE};
