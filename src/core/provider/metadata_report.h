/* What the log is told of a provider's metadata and keys.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_METADATA_REPORT_H
#define KC_METADATA_REPORT_H

#include "base/err.h"
#include "conf/conf.h"
#include "env.h"
#include "provider/metadata.h"

/* How fetching goes. */
typedef struct kc_metadata_report_t {
    kc_reason_t reason; /* KC_ERR_NONE: all is well */
    int is_usable;
    int is_own; /* tried by this child */
} kc_metadata_report_t;

/* Logs changes alone: that fetching fails, that it fails for another reason, that nothing is left
 * to go on with, that all is well again. What another child tried is for that one to log. *last is
 * what was logged last, and becomes fresh. Not thread safe for one *last. */
void kc_metadata_report_change(const kc_conf_t *conf, const kc_env_t *env,
                               kc_metadata_report_t *last, const kc_metadata_report_t *fresh,
                               const char *detail);

/* Logs what of a fresh snapshot was left out, and why, unless the one before (NULL: none) lacked
 * the same. Thread safe. */
void kc_metadata_report_left_out(const kc_conf_t *conf, const kc_env_t *env,
                                 const kc_metadata_snapshot_t *before,
                                 const kc_metadata_snapshot_t *fresh);

#endif
