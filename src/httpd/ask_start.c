/* httpd -t -D KEYCLOAK_CHECK: what httpd warns of at start, in the report.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ask_start.h"

#include <apr_strings.h>
#include <string.h>

#include "guards.h"
#include "log.h"

typedef struct telling_t {
    kc_check_report_t *report;
    apr_pool_t *pool;
    int count;
} telling_t;

static const char *last_of(const char *text, const char *what)
{
    const char *last = NULL;

    while ((text = strstr(text, what)) != NULL)
        last = text++;
    return last;
}

/* The last sentence of a warning is its cure, where it has several. */
static void take(void *context, const server_rec *server, kc_reason_t reason, const char *text)
{
    telling_t *telling = context;
    kc_check_fault_t fault = {KC_CHECK_WARNING, "config.guards", reason,
                              "correct this line, unless it is meant so"};
    const char *end = last_of(text, ". ");

    if (end) {
        fault.cure = end + 2;
        text = apr_pstrndup(telling->pool, text, (apr_size_t)(end - text));
    } else if ((end = last_of(text, ": add ")) != NULL) {
        fault.cure = end + 2;
        text = apr_pstrndup(telling->pool, text, (apr_size_t)(end - text));
    }
    kc_check_report_begin(telling->report, server->server_hostname ? server->server_hostname : "");
    kc_check_report_add(telling->report, &fault, "%s", text);
    telling->count++;
}

void akc_ask_start_tell(server_rec *main, kc_check_report_t *report, apr_pool_t *pool)
{
    telling_t telling = {report, pool, 0};

    akc_log_listen(take, &telling);
    akc_guards_tell(main, pool);
    akc_log_listen(NULL, NULL);
    kc_check_report_begin(report, main->server_hostname ? main->server_hostname : "");
    if (!telling.count)
        kc_check_report_ok(report, "config.guards",
                           "each guarded section has what it needs, and no public path opens one");
}
