/* Log lines of the core: each begins with the tag of its reason.
 * SPDX-License-Identifier: Apache-2.0 */
#include "env.h"

#include <apr_strings.h>
#include <stdarg.h>

enum { LINE_SIZE = 4096 }; /* bytes of a line; what is longer is cut */

static void write_line(const kc_env_t *env, kc_log_level_t level, kc_reason_t reason,
                       const char *format, va_list arguments)
{
    char text[LINE_SIZE], line[LINE_SIZE];

    (void)apr_vsnprintf(text, sizeof(text), format, arguments);
    (void)apr_snprintf(line, sizeof(line), "%s: %s", kc_err_row(reason)->tag, text);
    env->log(env->context, level, line);
}

void kc_env_log(const kc_env_t *env, kc_reason_t reason, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(env, kc_err_row(reason)->level, reason, format, arguments);
    va_end(arguments);
}

void kc_env_log_at(const kc_env_t *env, kc_log_level_t level, kc_reason_t reason,
                   const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_line(env, level, reason, format, arguments);
    va_end(arguments);
}
