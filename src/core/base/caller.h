/* The request that a thread works for.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CALLER_H
#define KC_CALLER_H

#include <stdint.h>

/* Whom a request waits for. */
typedef enum { KC_CALLER_STORE, KC_CALLER_PROVIDER, KC_CALLER_WAITS } kc_caller_wait_t;

enum { KC_CALLER_LINES = 2 /* traceparent, tracestate */ };

/* What the core's effects need to know of the request that they are called for, and what they tell
 * of their work. The glue makes one for each request whose server has a directive that uses it. One
 * thread at a time uses it. */
typedef struct kc_caller_t {
    void *request;                      /* the glue's record of the request */
    const char *lines[KC_CALLER_LINES]; /* "name: value", headers of calls for this request; NULL:
                                           none */
    const char *trace_id;               /* for log lines; NULL: none */
    int64_t waited_us[KC_CALLER_WAITS]; /* microseconds in all */
    unsigned int waits[KC_CALLER_WAITS];
    int depth; /* of waits: the outermost is measured */
} kc_caller_t;

/* From now on this thread works for caller (NULL: for no request). Returns what it worked for
 * before; the end of the work is another call with that. Both are on the same thread. */
kc_caller_t *kc_caller_enter(kc_caller_t *caller);
/* The request that this thread works for; NULL: none, or one that nothing needs to know. */
kc_caller_t *kc_caller_now(void);

/* One of the lines of the request that this thread works for; NULL: there is none. */
const char *kc_caller_line(int index);

/* Around a wait: begin returns what end needs. Without a caller they do nothing. */
int64_t kc_caller_begin(void);
void kc_caller_end(kc_caller_wait_t wait, int64_t begun_us);

#endif
