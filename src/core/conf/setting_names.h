/* KeycloakSettingNames: what messages call a directive that something else has written, such as
 * the container image from its environment.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_SETTING_NAMES_H
#define KC_SETTING_NAMES_H

#include <stddef.h>

#include "conf/conf.h"

/* Refuses words that are not DIRECTIVE=NAME with a directive of this module; named in the row. */
kc_rc_t kc_setting_names_check(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err);
/* Writes text into out (size bytes, 1 or more; cut there, always ended by a NUL), with the name of
 * names (the member's list; NULL: none) in place of each directive that has one. A directive is a
 * whole word. Thread safe, cannot fail; takes at most one step for each character of the text and
 * each of the names. */
void kc_setting_names_apply(const apr_array_header_t *names, const char *text, char *out,
                            size_t size);

#endif
