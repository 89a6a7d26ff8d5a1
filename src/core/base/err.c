/* The table of reasons, and the one way to fill a failure.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

static const kc_err_row_t rows[] = {
    {"NONE", "KC0000", "none", 200, KC_LOG_WARNING, "", ""},
#define KC_ERR(name, tag, slug, status, level, sentence, advice) \
    {#name, "KC" #tag, slug, status, KC_LOG_##level, sentence, advice},
#include "base/err.def"
#undef KC_ERR
};

kc_rc_t kc_err_set(kc_err_t *err, kc_rc_t rc, kc_reason_t reason, const char *file, int line,
                   const char *format, ...)
{
    va_list arguments;

    if (!err)
        return rc;
    err->reason = reason;
    err->file = file;
    err->line = line;
    va_start(arguments, format);
    (void)vsnprintf(err->detail, sizeof(err->detail), format, arguments);
    va_end(arguments);
    return rc;
}

const kc_err_row_t *kc_err_row(kc_reason_t reason)
{
    if ((int)reason < 0 || reason >= KC_ERR_COUNT)
        reason = KC_ERR_INTERNAL;
    return &rows[reason];
}
