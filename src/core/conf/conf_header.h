/* Header names that no directive may take.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_HEADER_H
#define KC_CONF_HEADER_H

/* 1 when requests, or answers of a judge, depend on the header of this name, as
 * kc_conf_table_fold makes it. Thread safe, pure. */
int kc_conf_header_is_critical(const char *folded);

#endif
