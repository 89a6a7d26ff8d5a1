/* Counters in shared memory: the table, its memory, and how a thread counts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics.h"

#include <string.h>

/* Each cell is one word that is added to atomically. So a child that is killed at any instruction
 * leaves every count as it was or one higher, and nothing has to be collected from it. Cells that
 * each request counts exist once for each stripe, so that threads rarely write to the same cache
 * line; a reader adds them up. */

enum {
    STRIPES = 16, /* a power of two */
    STRIPE_BITS = 4,
    LINE = 16, /* words of two cache lines */
    STACK_BITS = 20,
    OFTEN = ((int)KC_METRICS_OFTEN + LINE - 1) / LINE * LINE,
    RARELY = (int)KC_METRICS_CELLS - (int)KC_METRICS_OFTEN
};

/* The last digits are the layout's version; the table has a fingerprint of its own. */
static const uint64_t magic = UINT64_C(0x6b636d6574720001);
static const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15); /* spreads close numbers */

typedef struct {
    int64_t pid; /* 0: free */
    uint64_t values[KC_METRICS_VALUES];
} child_t;

typedef struct {
    uint64_t magic;
    uint64_t fingerprint;
    child_t children[KC_METRICS_CHILDREN];
    char servers[KC_METRICS_SERVER_MAX][KC_METRICS_SERVER_SIZE]; /* "": free */
    uint64_t often[STRIPES][OFTEN] __attribute__((aligned(LINE * sizeof(uint64_t))));
    uint64_t rarely[RARELY];
} memory_t;

struct kc_metrics_t {
    memory_t *memory;
    uint64_t seed; /* of the process: its threads use other stripes than those of another one */
    child_t *child;
    child_t nobody; /* the place of a child that has got none */
};

static uint64_t nowhere; /* values of a child without metrics */

/* ---------------------------------------------------------------- the table */

static const kc_metrics_row_t rows[] = {
#define KC_METRIC(row, type, place, name, one, two, three, help)                 \
    {name,                                                                       \
     KC_METRICS_##type,                                                          \
     {KC_METRICS_LABEL_##one, KC_METRICS_LABEL_##two, KC_METRICS_LABEL_##three}, \
     KC_METRICS_FROM_##row,                                                      \
     KC_METRICS_IS_##place,                                                      \
     help},
#include "metrics/metrics.def"
#undef KC_METRIC
};

static const char *const states[] = {"none",    "live", "stale",  "ended",
                                     "unknown", "weak", "refused"};
static const char *const actions[] = {"allow",       "allow_anonymous", "login",
                                      "deny",        "return_to_page",  "end_session",
                                      "skip_logout", "unavailable",     "ask_again"};
static const char *const results[] = {"hit", "stale", "miss"};
static const char *const outcomes[] = {"done", "refused", "unavailable", "restarted"};
static const char *const channels[] = {"browser", "back_channel", "front_channel", "operator"};
static const char *const causes[] = {"sign_out", "replaced",        "listed", "front_channel",
                                     "revoked",  "refresh_refused", "idle",   "max_age"};
static const char *const operations[] = {"get", "put", "add", "touch", "drop"};
static const char *const faults[] = {"late", "wrong"};
static const char *const endpoints[] = {"other", "discovery", "keys",
                                        "token", "userinfo",  "revocation"};
static const char *const answers[] = {"2xx", "3xx", "4xx", "5xx", "failed", "busy"};

/* A label without words in the table has them in the memory, in err.def or in the glue. */
static const struct {
    const char *name;
    const char *const *words;
    size_t count;
} labels[KC_METRICS_LABELS] = {
    [KC_METRICS_LABEL_NONE] = {"", NULL, KC_METRICS_WORDS_NONE},
    [KC_METRICS_LABEL_STATE] = {"state", states, KC_METRICS_WORDS_STATE},
    [KC_METRICS_LABEL_ACTION] = {"action", actions, KC_METRICS_WORDS_ACTION},
    [KC_METRICS_LABEL_RESULT] = {"result", results, KC_METRICS_WORDS_RESULT},
    [KC_METRICS_LABEL_OUTCOME] = {"outcome", outcomes, KC_METRICS_WORDS_OUTCOME},
    [KC_METRICS_LABEL_TAG] = {"tag", NULL, KC_METRICS_WORDS_TAG},
    [KC_METRICS_LABEL_CHANNEL] = {"channel", channels, KC_METRICS_WORDS_CHANNEL},
    [KC_METRICS_LABEL_CAUSE] = {"cause", causes, KC_METRICS_WORDS_CAUSE},
    [KC_METRICS_LABEL_SERVER] = {"server", NULL, KC_METRICS_WORDS_SERVER},
    [KC_METRICS_LABEL_OPERATION] = {"operation", operations, KC_METRICS_WORDS_OPERATION},
    [KC_METRICS_LABEL_FAULT] = {"fault", faults, KC_METRICS_WORDS_FAULT},
    [KC_METRICS_LABEL_ENDPOINT] = {"endpoint", endpoints, KC_METRICS_WORDS_ENDPOINT},
    [KC_METRICS_LABEL_ANSWER] = {"answer", answers, KC_METRICS_WORDS_ANSWER},
    [KC_METRICS_LABEL_ISSUER] = {"issuer", NULL, KC_METRICS_WORDS_ISSUER},
    [KC_METRICS_LABEL_WAIT] = {"for", NULL, KC_METRICS_WORDS_WAIT},
    [KC_METRICS_LABEL_VERSION] = {"version", NULL, KC_METRICS_WORDS_VERSION},
    [KC_METRICS_LABEL_HTTPD] = {"httpd", NULL, KC_METRICS_WORDS_HTTPD},
};

const kc_metrics_row_t *kc_metrics_row(kc_metrics_index_t index)
{
    return &rows[index];
}

const char *kc_metrics_label(kc_metrics_label_t label, size_t *count)
{
    *count = labels[label].count;
    return labels[label].name;
}

const char *kc_metrics_word(const kc_metrics_t *metrics, kc_metrics_label_t label, size_t index)
{
    if (index >= labels[label].count)
        return NULL;
    if (labels[label].words)
        return labels[label].words[index];
    if (label == KC_METRICS_LABEL_TAG)
        return index == KC_ERR_NONE ? "" : kc_err_row((kc_reason_t)index)->tag;
    if (label != KC_METRICS_LABEL_SERVER)
        return "";
    if (index == KC_METRICS_SERVER_MAX)
        return "other";
    return metrics && metrics->memory->servers[index][0] ? metrics->memory->servers[index] : NULL;
}

/* ---------------------------------------------------------------- the memory */

/* Of the layout's size, and of names and numbers of cells: memory of another table would give
 * counts to the wrong rows, and memory of a smaller layout ends too early. */
static uint64_t fingerprint(void)
{
    uint64_t sum = sizeof(memory_t) ^ KC_METRICS_CELLS * golden;
    size_t i;

    for (i = 0; i < KC_METRICS_ROWS; i++) {
        const char *name;

        for (name = rows[i].name; *name; name++)
            sum = (sum ^ (unsigned char)*name) * golden;
        sum = (sum ^ rows[i].from) * golden;
    }
    return sum;
}

size_t kc_metrics_size(void)
{
    return sizeof(memory_t) + LINE * sizeof(uint64_t);
}

kc_rc_t kc_metrics_attach(void *memory, apr_pool_t *pool, kc_metrics_t **out, kc_err_t *err)
{
    const size_t line = LINE * sizeof(uint64_t);
    unsigned char *start = memory;
    memory_t *ours = (memory_t *)(void *)(start + (line - (uintptr_t)start % line) % line);

    if (!ours->magic) {
        ours->fingerprint = fingerprint();
        ours->magic = magic;
    }
    if (ours->magic != magic || ours->fingerprint != fingerprint())
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CONFIG, "metrics: memory of another version");
    *out = apr_pcalloc(pool, sizeof(**out));
    (*out)->memory = ours;
    (*out)->child = &(*out)->nobody;
    return KC_OK;
}

size_t kc_metrics_server(const kc_metrics_t *metrics, const char *server)
{
    size_t i;

    for (i = 0; metrics && *server && i < KC_METRICS_SERVER_MAX; i++) {
        if (strcmp(metrics->memory->servers[i], server) == 0)
            return i;
    }
    return KC_METRICS_SERVER_MAX;
}

/* Names are never given up: requests of the generation before still count under them. */
size_t kc_metrics_claim(kc_metrics_t *metrics, const char *server)
{
    size_t known = kc_metrics_server(metrics, server), i, len = strlen(server);

    if (known < KC_METRICS_SERVER_MAX || !len || len >= KC_METRICS_SERVER_SIZE)
        return known;
    for (i = 0; i < KC_METRICS_SERVER_MAX; i++) {
        if (metrics->memory->servers[i][0])
            continue;
        memcpy(metrics->memory->servers[i], server, len + 1);
        return i;
    }
    return KC_METRICS_SERVER_MAX;
}

/* ---------------------------------------------------------------- counting */

/* The stripe of this thread, by its stack: those of threads are megabytes apart. Where they are
 * not, threads share a stripe, which costs time but no count. */
static uint64_t *often_at(const kc_metrics_t *metrics, size_t cell)
{
    uint64_t stack = (uint64_t)(uintptr_t)__builtin_frame_address(0) >> STACK_BITS;

    return &metrics->memory->often[(stack + metrics->seed) * golden >> (64 - STRIPE_BITS)][cell];
}

void kc_metrics_add(const kc_metrics_t *metrics, size_t cell, uint64_t value)
{
    uint64_t *word;

    if (!metrics || cell >= KC_METRICS_CELLS)
        return;
    word = cell < KC_METRICS_OFTEN ? often_at(metrics, cell)
                                   : &metrics->memory->rarely[cell - KC_METRICS_OFTEN];
    (void)__atomic_fetch_add(word, value, __ATOMIC_RELAXED);
}

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

uint64_t kc_metrics_get(const kc_metrics_t *metrics, size_t cell)
{
    uint64_t sum = 0;
    size_t i;

    if (!metrics || cell >= KC_METRICS_CELLS)
        return 0;
    if (cell >= KC_METRICS_OFTEN)
        return load(&metrics->memory->rarely[cell - KC_METRICS_OFTEN]);
    for (i = 0; i < STRIPES; i++)
        sum += load(&metrics->memory->often[i][cell]);
    return sum;
}

int64_t kc_metrics_bucket(size_t index)
{
    static const int64_t ends[KC_METRICS_BUCKETS] = {
        250,    500,    1000,   2500,    5000,    10000,   25000,    50000,
        100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, -1};

    return index < KC_METRICS_BUCKETS ? ends[index] : -1;
}

void kc_metrics_observe(const kc_metrics_t *metrics, size_t cell, int64_t microseconds)
{
    size_t i = 0;

    if (microseconds < 0)
        microseconds = 0;
    while (i < KC_METRICS_BUCKETS - 1 && microseconds > kc_metrics_bucket(i))
        i++;
    kc_metrics_add(metrics, cell + KC_METRICS_BUCKETS, (uint64_t)microseconds);
    kc_metrics_add(metrics, cell + i, 1);
}

kc_metrics_outcome_t kc_metrics_outcome(kc_rc_t rc)
{
    switch (rc) {
    case KC_OK:
        return KC_METRICS_DONE;
    case KC_MISS:
        return KC_METRICS_RESTARTED;
    case KC_REFUSED:
        return KC_METRICS_REFUSED;
    default:
        return KC_METRICS_UNAVAILABLE;
    }
}

kc_reason_t kc_metrics_tag(kc_rc_t rc, const kc_err_t *err)
{
    return rc == KC_OK || !err ? KC_ERR_NONE : err->reason;
}

/* ---------------------------------------------------------------- values of a child */

static int take_place(child_t *child, int64_t pid, int (*is_alive)(int64_t pid))
{
    int64_t owner = __atomic_load_n(&child->pid, __ATOMIC_ACQUIRE);

    if (owner && owner != pid && is_alive(owner))
        return 0;
    return __atomic_compare_exchange_n(&child->pid, &owner, pid, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

static void give_place(child_t *child, int64_t pid)
{
    (void)__atomic_compare_exchange_n(&child->pid, &pid, 0, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

void kc_metrics_enter(kc_metrics_t *metrics, int64_t pid, int (*is_alive)(int64_t pid))
{
    size_t i;

    if (!metrics)
        return;
    for (i = 0; i < KC_METRICS_CHILDREN; i++) /* of a dead child that had the same number */
        give_place(&metrics->memory->children[i], pid);
    metrics->seed = (uint64_t)pid * golden;
    metrics->child = &metrics->nobody;
    for (i = 0; i < KC_METRICS_CHILDREN && metrics->child == &metrics->nobody; i++) {
        if (take_place(&metrics->memory->children[i], pid, is_alive))
            metrics->child = &metrics->memory->children[i];
    }
    for (i = 0; i < KC_METRICS_VALUES; i++)
        kc_metrics_set(&metrics->child->values[i], 0);
}

void kc_metrics_leave(kc_metrics_t *metrics)
{
    if (metrics && metrics->child != &metrics->nobody)
        __atomic_store_n(&metrics->child->pid, 0, __ATOMIC_RELEASE);
    if (metrics)
        metrics->child = &metrics->nobody;
}

uint64_t *kc_metrics_value(kc_metrics_t *metrics, kc_metrics_value_t value)
{
    return metrics ? &metrics->child->values[value] : &nowhere;
}

void kc_metrics_set(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

uint64_t kc_metrics_sum(const kc_metrics_t *metrics, kc_metrics_value_t value,
                        int (*is_alive)(int64_t pid))
{
    uint64_t sum = 0;
    size_t i;

    for (i = 0; metrics && i < KC_METRICS_CHILDREN; i++) {
        const child_t *child = &metrics->memory->children[i];
        int64_t pid = __atomic_load_n(&child->pid, __ATOMIC_ACQUIRE);

        if (pid && is_alive(pid))
            sum += load(&child->values[value]);
    }
    return sum;
}
