/* Secrets and files that directives name.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_SECRET_H
#define KC_CONF_SECRET_H

#include "conf/conf_table.h"

enum { KC_CONF_SECRET_LITERAL = 1, KC_CONF_SECRET_EXEC = 2 };

/* Resolves file: and env:; with KC_CONF_SECRET_EXEC also exec:; with KC_CONF_SECRET_LITERAL also
 * plain text. The error names the source, never its content. */
kc_rc_t kc_conf_secret_read(const char *text, unsigned int sources, apr_pool_t *pool,
                            const char **out, kc_err_t *err);
/* The whole content of a file, up to KC_CONF_FILE_MAX bytes without NUL. A private file must not be
 * readable for others (Unix's third class). */
kc_rc_t kc_conf_secret_contents(const char *path, int is_private, apr_pool_t *pool,
                                const char **out, kc_err_t *err);

#endif
