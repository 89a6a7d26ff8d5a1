/* Settings: created, set, merged, loaded and dumped.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_H
#define KC_CONF_H

#include <apr_pools.h>

#include "base/err.h"
#include "conf/conf_table.h"

/* New settings with every default. At start only, like everything below but lookups. */
kc_conf_t *kc_conf_create(apr_pool_t *pool);
kc_conf_dir_t *kc_conf_dir_create(apr_pool_t *pool);
/* The words of a line as the directive takes them: a list may be written in quotes, in whole or in
 * parts ("openid email"). Files' names may have blanks themselves, so those of a list are parted
 * where "file:" follows. *count is how many there are; empty words are kept, and refused later. In
 * pool. */
const char *const *kc_conf_split(kc_conf_index_t index, int argc, const char *const argv[],
                                 apr_pool_t *pool, int *count);
/* Of a word of a line: where in it the path of a file begins; NULL when it names none. "file:" may
 * stand before the path of any file, and must before that of a secret. Thread safe. */
const char *kc_conf_path_in(kc_conf_index_t index, const char *word);
/* Sets one member. conf is a kc_conf_t, or a kc_conf_dir_t when the row is a directory's. Lists
 * (WORDS, ACRS, KEYFILES, PAIRS, TRANSFORM) append when they were set before in the same conf; all
 * others overwrite. KC_REFUSED with KC_ERR_CONFIG and a detail that an administrator can act on,
 * such as "takes a duration such as 30s, 5m or 10h, not '12 parsecs'" (the directive's name is
 * added by the glue); never a secret in it. On failure the member stays as it was. Files must have
 * absolute paths
 * ("file:" may stand before any of them). ORIGIN and BASE are kept as kc_url_origin gives
 * them: no slash at the end. file: "-" is kept when it is NULL. */
kc_rc_t kc_conf_set(void *conf, kc_conf_index_t index, int argc, const char *const *argv,
                    const char *file, int line, apr_pool_t *pool, kc_err_t *err);
/* A member set in add wins over base; defaults never do. */
kc_conf_t *kc_conf_merge(const kc_conf_t *base, const kc_conf_t *add, apr_pool_t *pool);
kc_conf_dir_t *kc_conf_dir_merge(const kc_conf_dir_t *base, const kc_conf_dir_t *add,
                                 apr_pool_t *pool);
/* Reads the files that the settings name and that are needed, as their rows say it (up to
 * KC_CONF_FILE_MAX bytes each), while the server still is root: its children may not be able to.
 * KC_REFUSED names in *index the row to blame. */
kc_rc_t kc_conf_load(kc_conf_t *conf, kc_conf_index_t *index, apr_pool_t *pool, kc_err_t *err);

/* The setting as text for a dump; secrets as "(set)", what is neither set nor has a default as
 * "(not set)". */
const char *kc_conf_dump(const kc_conf_t *conf, kc_conf_index_t index, apr_pool_t *pool);

#endif
