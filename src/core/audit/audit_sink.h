/* Where audit lines are written: a file, a pipe, or the system's log. No write waits for long.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_AUDIT_SINK_H
#define KC_AUDIT_SINK_H

#include <apr_pools.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { KC_AUDIT_SINK_WAIT_MS = 200 /* at most, for a pipe or the system's log that is full */ };

/* One for each log that is named in the configuration; its copy in each child is shared by the
 * threads. */
typedef struct kc_audit_sink_t kc_audit_sink_t;

/* Lines go to an open file or pipe, which remains the caller's. A pipe is made non-blocking here.
 */
kc_audit_sink_t *kc_audit_sink_to_file(int fd, apr_pool_t *pool);
/* Lines go to the system's log, which listens at the socket path ("/dev/log"; RFC 3164), at the
 * level notice. target: as of kc_syslog_target_read. KC_FAULT with KC_ERR_CONFIG: it is no such
 * target, or no socket can be made. */
kc_rc_t kc_audit_sink_to_syslog(const char *target, const char *path, apr_pool_t *pool,
                                kc_audit_sink_t **out, kc_err_t *err);

/* What became of a line. */
typedef enum {
    KC_AUDIT_SINK_WRITTEN,
    KC_AUDIT_SINK_BACK, /* written, the first after one that was lost */
    KC_AUDIT_SINK_LOST, /* not written, the first of a series */
    KC_AUDIT_SINK_STILL /* not written, like the one before */
} kc_audit_sink_result_t;

/* Writes one line of up to KC_AUDIT_LINE_MAX bytes whole, by one call of the system. When a pipe or
 * the system's log is full it waits KC_AUDIT_SINK_WAIT_MS, and not at all while the last line was
 * lost. *error: errno of a loss. *lost: lines that were lost since the last one that was written.
 * A file blocks as its file system does. Thread safe. */
kc_audit_sink_result_t kc_audit_sink_write(kc_audit_sink_t *sink, const char *line, size_t len,
                                           unsigned int *lost, int *error);
/* How many lines were lost since the last one that was written. Thread safe. */
unsigned int kc_audit_sink_lost(kc_audit_sink_t *sink);

#endif
