/* Log lines of the module: each begins with the tag of its reason.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_LOG_H
#define AKC_LOG_H

#include "module.h"

#include "core/base/log.h"

/* Log "TAG: text" for a server (server_rec *) or a request (request_rec *), at the level of the
 * reason's row in err.def. The text is a format as of printf and its arguments, without secrets;
 * foreign text in it is escaped by the caller. The arguments are evaluated only when LogLevel has
 * the line written. Thread safe. Nothing else in src/httpd calls httpd's ap_log_... functions. */
#define AKC_LOG_SERVER(server, reason, ...) \
    AKC_LOG_SERVER_AT(akc_log_level(kc_err_row(reason)->level), server, reason, __VA_ARGS__)
#define AKC_LOG_REQUEST(r, reason, ...) \
    AKC_LOG_REQUEST_AT(akc_log_level(kc_err_row(reason)->level), r, reason, __VA_ARGS__)

/* The same at a level of httpd's (APLOG_...), where one reason has several. */
#define AKC_LOG_SERVER_AT(level, server, reason, ...)                                     \
    do {                                                                                  \
        if (APLOG_IS_LEVEL((server), (level)))                                            \
            akc_log_server(__FILE__, __LINE__, (level), (server), (reason), __VA_ARGS__); \
    } while (0)
#define AKC_LOG_REQUEST_AT(level, r, reason, ...)                                     \
    do {                                                                              \
        if (APLOG_R_IS_LEVEL((r), (level)))                                           \
            akc_log_request(__FILE__, __LINE__, (level), (r), (reason), __VA_ARGS__); \
    } while (0)

/* Called by the macros. */
void akc_log_server(const char *file, int line, int level, const server_rec *server,
                    kc_reason_t reason, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
void akc_log_request(const char *file, int line, int level, const request_rec *r,
                     kc_reason_t reason, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* At start: from now on log lines call directives by these names (KeycloakSettingNames; NULL: by
 * their own), until pconf ends, in which they are. */
void akc_log_call_settings(const apr_array_header_t *names, apr_pool_t *pconf);
/* The text with these names, in pool. For texts that are shown elsewhere than in the log. */
const char *akc_log_named(const char *text, apr_pool_t *pool);

/* Takes a line of a server in place of the log; text without its tag. */
typedef void akc_log_listener_t(void *context, const server_rec *server, kc_reason_t reason,
                                const char *text);
/* At start, by the only thread: lines of servers go to this listener from now on; NULL: to the
 * log. */
void akc_log_listen(akc_log_listener_t *listener, void *context);

/* From now on lines that are written are counted (NULL: they are not), by their tag. */
void akc_log_count(const kc_metrics_t *metrics);

/* httpd's level for the core's. */
int akc_log_level(kc_log_level_t level);
/* The log of kc_env_t: a line that has its tag; context is the server_rec. */
void akc_log_line(void *context, kc_log_level_t level, const char *line);

#endif
