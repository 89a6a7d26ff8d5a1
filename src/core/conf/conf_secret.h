/* Secrets and files that directives name.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_SECRET_H
#define KC_CONF_SECRET_H

#include "conf/conf_table.h"

enum { KC_CONF_SECRET_LITERAL = 1, KC_CONF_SECRET_EXEC = 2 };

/* Resolves file: and env:; with KC_CONF_SECRET_EXEC also exec:; with KC_CONF_SECRET_LITERAL also
 * plain text. out has the path and stamp of a file, too. The error names the source, never its
 * content. */
kc_rc_t kc_conf_secret_read(const char *text, unsigned int sources, apr_pool_t *pool,
                            kc_conf_file_t *out, kc_err_t *err);
/* Reads the whole content of file->path, up to KC_CONF_FILE_MAX bytes without NUL, into file->text,
 * and its stamp. A private file must not be readable for others (Unix's third class). On failure
 * file stays as it was. */
kc_rc_t kc_conf_secret_contents(kc_conf_file_t *file, int is_private, apr_pool_t *pool,
                                kc_err_t *err);
/* The present stamp of a file, symbolic links followed. KC_REFUSED: it cannot be looked at. */
kc_rc_t kc_conf_secret_stamp(const char *path, apr_pool_t *pool, kc_conf_stamp_t *out,
                             kc_err_t *err);
/* The content of a file: file->text when it has been read, else read now into pool. */
kc_rc_t kc_conf_secret_text(const kc_conf_file_t *file, int is_private, apr_pool_t *pool,
                            const char **out, kc_err_t *err);
/* Where kc_conf_secret_read would read a secret: "file:PATH", "env:NAME", "exec:PROGRAM" without
 * its arguments, or "written there" for the secret itself. May be shown. In pool, or static. */
const char *kc_conf_secret_source(const char *text, apr_pool_t *pool);

#endif
