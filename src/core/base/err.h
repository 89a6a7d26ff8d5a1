/* Results and reasons: what a core function answers and what it says when it fails.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_ERR_H
#define KC_ERR_H

#include "base/log.h"

/* What a function answers. A miss and an outage are never the same answer. */
typedef enum {
    KC_OK = 0,
    KC_MISS,    /* looked, and it is not there */
    KC_EXISTS,  /* add found that it is there already */
    KC_REFUSED, /* the input is not acceptable: deny */
    KC_DOWN,    /* something we depend on did not answer: fail closed, 503 */
    KC_FAULT    /* our own fault: configuration, memory, a library */
} kc_rc_t;

/* One value for each row of err.def. */
typedef enum {
    KC_ERR_NONE = 0,
#define KC_ERR(name, tag, slug, status, level, sentence, advice) KC_ERR_##name,
#include "base/err.def"
#undef KC_ERR
    KC_ERR_COUNT
} kc_reason_t;

#define KC_ERR_DETAIL_SIZE 256 /* bytes, the closing NUL included */

/* A failure. The caller owns it (usually on its stack); it holds no pointer to request memory. The
 * detail is for the administrator's log: it may quote foreign text (cut to size, not escaped: the
 * glue escapes it) and never a token, code, cookie, secret or nonce. */
typedef struct kc_err_t {
    kc_reason_t reason;
    const char *file; /* static */
    int line;
    char detail[KC_ERR_DETAIL_SIZE];
} kc_err_t;

/* A row of err.def. All strings are static. */
typedef struct kc_err_row_t {
    const char *name;
    const char *tag;      /* "KC0301", never reused */
    const char *slug;     /* "state-unknown": anchor in the reference, metric label */
    int status;           /* HTTP status */
    kc_log_level_t level; /* of the log line that tells of it */
    const char *sentence; /* for the person: what happened */
    const char *advice;   /* for the person: what to do */
} kc_err_row_t;

/* Fills err (which may be NULL) and returns rc, so that a caller can write `return KC_FAIL(...)`.
 */
#define KC_FAIL(err, rc, reason, ...) \
    kc_err_set((err), (rc), (reason), __FILE__, __LINE__, __VA_ARGS__)

kc_rc_t kc_err_set(kc_err_t *err, kc_rc_t rc, kc_reason_t reason, const char *file, int line,
                   const char *format, ...) __attribute__((format(printf, 6, 7)));

/* The row of a reason; the row of KC_ERR_INTERNAL for a value that is none. Thread safe. */
const kc_err_row_t *kc_err_row(kc_reason_t reason);

#endif
