/* Settings: created, set, merged, loaded and dumped.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_H
#define KC_CONF_H

#include <apr_pools.h>

#include "base/err.h"
#include "conf/conf_table.h"

/* New settings with all defaults. Only at start, like everything below except look-ups. */
kc_conf_t *kc_conf_create(apr_pool_t *pool);
kc_conf_dir_t *kc_conf_dir_create(apr_pool_t *pool);
/* Splits a line into words as the directive takes them. A list may be written in quotes, in
 * whole or in parts ("openid email"). File names may contain blanks; so a list of files is split
 * where "file:" follows. *count is the number of words. Empty words are kept, and refused later.
 * In pool. */
const char *const *kc_conf_split(kc_conf_index_t index, int argc, const char *const argv[],
                                 apr_pool_t *pool, int *count);
/* The position in a word where the path of a file begins; NULL when it names no file. "file:" may
 * precede the path of any file, and must precede that of a secret. Thread safe. */
const char *kc_conf_path_in(kc_conf_index_t index, const char *word);
/* Sets one member. conf is a kc_conf_t, or a kc_conf_dir_t when the row has directory scope. Lists
 * (WORDS, ACRS, KEYFILES, PAIRS, TRANSFORM) append when they were set before in the same conf; all
 * others overwrite.
 *
 * KC_REFUSED with KC_ERR_CONFIG and a detail that tells an administrator what to do, such as "takes
 * a duration such as 30s, 5m or 10h, not '12 parsecs'". The glue adds the directive's name. The
 * detail never has a secret. On failure the member stays as it was. Files must have absolute paths
 * ("file:" may precede any of them). ORIGIN and BASE are kept as kc_url_origin returns them: no
 * slash at the end. When file is NULL, "-" is kept. */
kc_rc_t kc_conf_set(void *conf, kc_conf_index_t index, int argc, const char *const *argv,
                    const char *file, int line, apr_pool_t *pool, kc_err_t *err);
/* A member set in add overrides base; defaults never do. */
kc_conf_t *kc_conf_merge(const kc_conf_t *base, const kc_conf_t *add, apr_pool_t *pool);
kc_conf_dir_t *kc_conf_dir_merge(const kc_conf_dir_t *base, const kc_conf_dir_t *add,
                                 apr_pool_t *pool);
/* Reads the files that the settings name, if their rows say that they are needed (up to
 * KC_CONF_FILE_MAX bytes each). This happens while the server is still root, because its children
 * may not be able to read them. On KC_REFUSED *index is the row to blame. */
kc_rc_t kc_conf_load(kc_conf_t *conf, kc_conf_index_t *index, apr_pool_t *pool, kc_err_t *err);

/* The setting as text for a dump: "(set)" for secrets, "(not set)" without a value and a
 * default. */
const char *kc_conf_dump(const kc_conf_t *conf, kc_conf_index_t index, apr_pool_t *pool);

#endif
