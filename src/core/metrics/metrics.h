/* Counters in the shared memory of a host: counted without locks, and kept when children die.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_METRICS_H
#define KC_METRICS_H

#include <apr_pools.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* ---------------------------------------------------------------- words of labels */

/* The order is that of kc_session_state_t. */
enum { KC_METRICS_STATES = 7 };
/* The order is that of kc_decision_t. */
enum { KC_METRICS_ACTIONS = 9 };

typedef enum {
    KC_METRICS_HIT,
    KC_METRICS_STALE,
    KC_METRICS_MISS,
    KC_METRICS_RESULTS
} kc_metrics_result_t;

typedef enum {
    KC_METRICS_DONE,
    KC_METRICS_REFUSED,
    KC_METRICS_UNAVAILABLE,
    KC_METRICS_RESTARTED,
    KC_METRICS_OUTCOMES
} kc_metrics_outcome_t;

/* Who asks for a sign-out. */
typedef enum {
    KC_METRICS_BROWSER,
    KC_METRICS_BACK_CHANNEL,
    KC_METRICS_FRONT_CHANNEL,
    KC_METRICS_OPERATOR,
    KC_METRICS_CHANNELS
} kc_metrics_channel_t;

/* Why a session ends. */
typedef enum {
    KC_METRICS_SIGN_OUT,      /* by its own browser */
    KC_METRICS_REPLACED,      /* by another sign-in of its browser */
    KC_METRICS_LISTED,        /* chosen from the user's list of sessions */
    KC_METRICS_PROVIDER_PAGE, /* by front-channel logout */
    KC_METRICS_REVOKED,       /* it met a revocation entry: back-channel logout, an operator, or a
                                 user who ended all sessions */
    KC_METRICS_NO_REFRESH,    /* Keycloak refused to renew it */
    KC_METRICS_IDLE,
    KC_METRICS_MAX_AGE,
    KC_METRICS_CAUSES
} kc_metrics_cause_t;

typedef enum {
    KC_METRICS_GET,
    KC_METRICS_PUT,
    KC_METRICS_ADD,
    KC_METRICS_TOUCH,
    KC_METRICS_DROP,
    KC_METRICS_OPERATIONS
} kc_metrics_operation_t;

typedef enum { KC_METRICS_LATE, KC_METRICS_WRONG, KC_METRICS_FAULTS } kc_metrics_fault_t;

/* Endpoints of Keycloak. */
typedef enum {
    KC_METRICS_OTHER_ENDPOINT,
    KC_METRICS_DISCOVERY,
    KC_METRICS_KEYS,
    KC_METRICS_TOKEN,
    KC_METRICS_USERINFO,
    KC_METRICS_REVOCATION,
    KC_METRICS_ENDPOINTS
} kc_metrics_endpoint_t;

typedef enum {
    KC_METRICS_2XX,
    KC_METRICS_3XX,
    KC_METRICS_4XX,
    KC_METRICS_5XX,
    KC_METRICS_FAILED,
    KC_METRICS_BUSY,
    KC_METRICS_ANSWERS
} kc_metrics_answer_t;

/* How many words each label has. KC_METRICS_SERVER_MAX names of memcached servers, and "other". */
enum {
    KC_METRICS_SERVER_MAX = 64,
    KC_METRICS_SERVER_SIZE = 128, /* bytes of a name, with its NUL; a longer one is "other" */
    KC_METRICS_WORDS_NONE = 1,
    KC_METRICS_WORDS_STATE = KC_METRICS_STATES,
    KC_METRICS_WORDS_ACTION = KC_METRICS_ACTIONS,
    KC_METRICS_WORDS_RESULT = KC_METRICS_RESULTS,
    KC_METRICS_WORDS_OUTCOME = KC_METRICS_OUTCOMES,
    KC_METRICS_WORDS_TAG = KC_ERR_COUNT, /* KC_ERR_NONE: "" */
    KC_METRICS_WORDS_CHANNEL = KC_METRICS_CHANNELS,
    KC_METRICS_WORDS_CAUSE = KC_METRICS_CAUSES,
    KC_METRICS_WORDS_SERVER = KC_METRICS_SERVER_MAX + 1,
    KC_METRICS_WORDS_OPERATION = KC_METRICS_OPERATIONS,
    KC_METRICS_WORDS_FAULT = KC_METRICS_FAULTS,
    KC_METRICS_WORDS_ENDPOINT = KC_METRICS_ENDPOINTS,
    KC_METRICS_WORDS_ANSWER = KC_METRICS_ANSWERS,
    KC_METRICS_WORDS_ISSUER = 1,
    KC_METRICS_WORDS_WAIT = 1,
    KC_METRICS_WORDS_VERSION = 1,
    KC_METRICS_WORDS_HTTPD = 1
};

typedef enum {
    KC_METRICS_LABEL_NONE,
    KC_METRICS_LABEL_STATE,
    KC_METRICS_LABEL_ACTION,
    KC_METRICS_LABEL_RESULT,
    KC_METRICS_LABEL_OUTCOME,
    KC_METRICS_LABEL_TAG,
    KC_METRICS_LABEL_CHANNEL,
    KC_METRICS_LABEL_CAUSE,
    KC_METRICS_LABEL_SERVER,
    KC_METRICS_LABEL_OPERATION,
    KC_METRICS_LABEL_FAULT,
    KC_METRICS_LABEL_ENDPOINT,
    KC_METRICS_LABEL_ANSWER,
    KC_METRICS_LABEL_ISSUER, /* from here on: gauges alone */
    KC_METRICS_LABEL_WAIT,
    KC_METRICS_LABEL_VERSION,
    KC_METRICS_LABEL_HTTPD,
    KC_METRICS_LABELS
} kc_metrics_label_t;

/* ---------------------------------------------------------------- the table */

typedef enum { KC_METRICS_COUNTER, KC_METRICS_HISTOGRAM, KC_METRICS_GAUGE } kc_metrics_type_t;

enum {
    KC_METRICS_BUCKETS = 16, /* of a histogram; the last one has no end */
    KC_METRICS_CELLS_COUNTER = 1,
    KC_METRICS_CELLS_HISTOGRAM = KC_METRICS_BUCKETS + 1, /* and the sum, in microseconds */
    KC_METRICS_CELLS_GAUGE = 0,
    KC_METRICS_ROW_LABELS = 3
};

typedef enum {
#define KC_METRIC(row, type, place, name, one, two, three, help) KC_METRICS_ROW_##row,
#include "metrics/metrics.def"
#undef KC_METRIC
    KC_METRICS_ROWS
} kc_metrics_index_t;

/* The first cell of each row. */
enum {
#define KC_METRIC(row, type, place, name, one, two, three, help)                        \
    KC_METRICS_FROM_##row,                                                              \
        KC_METRICS_LAST_##row = KC_METRICS_FROM_##row +                                 \
                                KC_METRICS_CELLS_##type * KC_METRICS_WORDS_##one *      \
                                    KC_METRICS_WORDS_##two * KC_METRICS_WORDS_##three - \
                                1,
#include "metrics/metrics.def"
#undef KC_METRIC
    KC_METRICS_CELLS
};

/* How many cells there are for one word of the first and of the second label. */
enum {
#define KC_METRIC(row, type, place, name, one, two, three, help)                     \
    KC_METRICS_SPAN_##row =                                                          \
        KC_METRICS_CELLS_##type * KC_METRICS_WORDS_##two * KC_METRICS_WORDS_##three, \
    KC_METRICS_STEP_##row = KC_METRICS_CELLS_##type * KC_METRICS_WORDS_##three,      \
    KC_METRICS_UNIT_##row = KC_METRICS_CELLS_##type,
#include "metrics/metrics.def"
#undef KC_METRIC
    KC_METRICS_SPANS_END
};

/* The cells of the rows that are counted OFTEN, which are the first ones. */
enum {
    KC_METRICS_IS_OFTEN = 1,
    KC_METRICS_IS_RARELY = 0,
    KC_METRICS_OFTEN = 0
#define KC_METRIC(row, type, place, name, one, two, three, help) \
    +KC_METRICS_IS_##place *(KC_METRICS_LAST_##row + 1 - KC_METRICS_FROM_##row)
#include "metrics/metrics.def"
#undef KC_METRIC
};

/* The cell of a row for one word of each of its labels; 0 where it has fewer. */
#define KC_METRICS_CELL(row, one, two, three)                              \
    ((size_t)KC_METRICS_FROM_##row + (size_t)(one)*KC_METRICS_SPAN_##row + \
     (size_t)(two)*KC_METRICS_STEP_##row + (size_t)(three)*KC_METRICS_UNIT_##row)

typedef struct kc_metrics_row_t {
    const char *name; /* without prefix and suffix */
    kc_metrics_type_t type;
    kc_metrics_label_t labels[KC_METRICS_ROW_LABELS];
    size_t from; /* its first cell */
    int is_often;
    const char *help;
} kc_metrics_row_t;

/* All strings are static. Thread safe, as everything below is, where nothing else is said. */
const kc_metrics_row_t *kc_metrics_row(kc_metrics_index_t index);
/* The name of a label, and how many words it has. */
const char *kc_metrics_label(kc_metrics_label_t label, size_t *count);

/* ---------------------------------------------------------------- counting */

/* What one process has of the memory. */
typedef struct kc_metrics_t kc_metrics_t;

/* Bytes of the memory. */
size_t kc_metrics_size(void);
/* Uses memory of that size, which is shared by all processes and all zeros at first. It outlives
 * the module's code: the same memory may be used again after a restart, and its counters go on.
 * KC_REFUSED: it has been laid out by another version; clear it and try again. Call it in the
 * parent. */
kc_rc_t kc_metrics_attach(void *memory, apr_pool_t *pool, kc_metrics_t **out, kc_err_t *err);
/* In the parent at start, in one thread: the word of a memcached server, from now on for the life
 * of the memory. */
size_t kc_metrics_claim(kc_metrics_t *metrics, const char *server);
/* The word of a memcached server; KC_METRICS_SERVER_MAX ("other") when it has none. */
size_t kc_metrics_server(const kc_metrics_t *metrics, const char *server);
/* The text of a label's word; NULL: there is no such word (yet). */
const char *kc_metrics_word(const kc_metrics_t *metrics, kc_metrics_label_t label, size_t index);

/* Adds to a cell (KC_METRICS_CELL). metrics may be NULL: nothing is counted. No lock, no system
 * call, about 25 instructions. */
void kc_metrics_add(const kc_metrics_t *metrics, size_t cell, uint64_t value);
/* Adds one observation, in microseconds, to the histogram that begins at this cell. */
void kc_metrics_observe(const kc_metrics_t *metrics, size_t cell, int64_t microseconds);
/* The value of a cell. */
uint64_t kc_metrics_get(const kc_metrics_t *metrics, size_t cell);
/* The upper end of a bucket, in microseconds; the last one has none: -1. */
int64_t kc_metrics_bucket(size_t index);
/* The outcome for a result: KC_OK is DONE, KC_REFUSED is REFUSED, KC_MISS is RESTARTED. */
kc_metrics_outcome_t kc_metrics_outcome(kc_rc_t rc);
/* The tag for a result: that of err (which may be NULL), or none after KC_OK. */
kc_reason_t kc_metrics_tag(kc_rc_t rc, const kc_err_t *err);

/* ---------------------------------------------------------------- values of a child */

/* What each child knows of itself. */
typedef enum {
    KC_METRICS_TALKING, /* threads that talk to Keycloak */
    KC_METRICS_QUEUED,  /* threads that wait for that */
    KC_METRICS_WAITERS, /* threads that wait for another request's renewal */
    KC_METRICS_STREAMS, /* open streams */
    KC_METRICS_VALUES
} kc_metrics_value_t;

enum { KC_METRICS_CHILDREN = 1024 /* more children than this are not seen */ };

/* In a child, before its threads: takes a place for its values. is_alive tells whether a process
 * exists; the place of a dead one is taken. */
void kc_metrics_enter(kc_metrics_t *metrics, int64_t pid, int (*is_alive)(int64_t pid));
/* When the child ends. */
void kc_metrics_leave(kc_metrics_t *metrics);
/* The word that the child writes one of its values to, by kc_metrics_set. Without metrics (NULL) or
 * a place it is a word that nobody reads. */
uint64_t *kc_metrics_value(kc_metrics_t *metrics, kc_metrics_value_t value);
void kc_metrics_set(uint64_t *word, uint64_t value);
/* The sum over all living children. */
uint64_t kc_metrics_sum(const kc_metrics_t *metrics, kc_metrics_value_t value,
                        int (*is_alive)(int64_t pid));

#endif
