/* The effective settings as text that may be shown to anybody: secrets are masked, and nothing in
 * it controls a terminal. SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_LISTING_H
#define KC_CONF_LISTING_H

#include "conf/conf_table.h"

/* Control characters, and bytes outside ASCII, as \xHH; in URLs of the text the user information
 * and the values of a query as "...". In pool. */
const char *kc_conf_listing_plain(const char *text, apr_pool_t *pool);
/* The same for the arguments of a Require line, of whose expressions ("expr") each string in quotes
 * is "...": it may be a password that a header is compared with. */
const char *kc_conf_listing_require(const char *arguments, apr_pool_t *pool);
/* The same for HOST[:PORT], which must not have user information, but may have. */
const char *kc_conf_listing_host(const char *text, apr_pool_t *pool);
/* The value of a setting. conf is a kc_conf_t, or a kc_conf_dir_t where the row has directory
 * scope.
 * "(not set)" without a value; "(secret, SOURCE)" for secrets; of a program to
 * which something is piped, its path alone. In pool. */
const char *kc_conf_listing_value(const void *conf, kc_conf_index_t index, apr_pool_t *pool);
/* Where a setting was set: "FILE:LINE", the same with ", main server" where main (NULL: this is the
 * main server) has it from the same line, or "default". In pool, or static. */
const char *kc_conf_listing_origin(const void *conf, const void *main, kc_conf_index_t index,
                                   apr_pool_t *pool);

#endif
