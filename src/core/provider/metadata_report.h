/* What is logged about a provider's metadata and keys.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_METADATA_REPORT_H
#define KC_METADATA_REPORT_H

#include "base/err.h"
#include "conf/conf.h"
#include "env.h"
#include "provider/metadata_snapshot.h"

/* The state of fetching. */
typedef struct kc_metadata_report_t {
    kc_reason_t reason; /* KC_ERR_NONE: no failure */
    int is_usable;
    int is_own; /* tried by this child */
} kc_metadata_report_t;

/* Logs only changes: fetching fails, it fails for another reason, no snapshot is usable, or it
 * works again. What another child tried is logged by that child. *last is what was logged last, and
 * becomes fresh. Not thread safe for one *last. */
void kc_metadata_report_change(const kc_conf_t *conf, const kc_env_t *env,
                               kc_metadata_report_t *last, const kc_metadata_report_t *fresh,
                               const char *detail);

/* Logs what was left out of a fresh snapshot, and why, unless the same was left out of the one
 * before (NULL: none). Thread safe. */
void kc_metadata_report_left_out(const kc_conf_t *conf, const kc_env_t *env,
                                 const kc_metadata_snapshot_t *before,
                                 const kc_metadata_snapshot_t *fresh);

#endif
