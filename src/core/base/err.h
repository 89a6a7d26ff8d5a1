/* Results and reasons: what a core function returns, and why it failed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_ERR_H
#define KC_ERR_H

#include "base/log.h"

/* The result of a function. A miss and an outage are always different results. */
typedef enum {
    KC_OK = 0,
    KC_MISS,    /* looked up, and not there */
    KC_EXISTS,  /* add found an existing value */
    KC_REFUSED, /* the input is not acceptable: deny */
    KC_DOWN,    /* a service did not answer: fail closed, 503 */
    KC_FAULT    /* a fault of this host: configuration, memory, a library */
} kc_rc_t;

/* One value for each row of err.def. */
typedef enum {
    KC_ERR_NONE = 0,
#define KC_ERR(name, tag, slug, status, level, sentence, advice) KC_ERR_##name,
#include "base/err.def"
#undef KC_ERR
    KC_ERR_COUNT
} kc_reason_t;

#define KC_ERR_DETAIL_SIZE 256 /* bytes, including the closing NUL */

/* A failure. The caller owns it (usually on its stack); it holds no pointer to request memory. The
 * detail is for the administrator's log. It may quote foreign text (cut to size; the glue escapes
 * it), but never a token, code, cookie, secret or nonce. */
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
    const char *slug;     /* "state-unknown": the word in the log */
    int status;           /* HTTP status; 0: an event, which is only logged */
    kc_log_level_t level; /* of the log line that reports it */
    const char *sentence; /* for the user: what happened; of an event, for the manual */
    const char *advice;   /* for the user: what to do; of an event "" */
} kc_err_row_t;

/* Fills err (which may be NULL) and returns rc, so that a caller can write `return
 * KC_FAIL(...)`. */
#define KC_FAIL(err, rc, reason, ...) \
    kc_err_set((err), (rc), (reason), __FILE__, __LINE__, __VA_ARGS__)

kc_rc_t kc_err_set(kc_err_t *err, kc_rc_t rc, kc_reason_t reason, const char *file, int line,
                   const char *format, ...) __attribute__((format(printf, 6, 7)));

/* The row of a reason; the row of KC_ERR_INTERNAL for an unknown value. Thread safe. */
const kc_err_row_t *kc_err_row(kc_reason_t reason);

#endif
