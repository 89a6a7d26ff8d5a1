/* The two stores in shared memory under many processes and threads, some of which are killed, the
 * threads' questions put together: every value that is read must be whole and its key's, and none
 * may get lost.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "store/store.h"
#include "store/store_coalescing.h"
#include "store/store_shm.h"
#include "store/view_cache.h"

/*
 *   stress kill COUNT     processes write and read; COUNT of them are killed, one after another
 *   stress race SECONDS   nobody is killed; for a build with --enable-sanitizers=thread
 *
 * Ends with a line of figures and status 0, or with what was wrong and status 1.
 */

enum {
    PROCESSES = 4,
    THREADS = 4,
    STORE_SIZE = 64 * 1024 * 1024,
    CACHE_SIZE = 1024 * 1024, /* so small that views make room for each other all the time */
    KEYS = 64,                /* of the store: never dropped, so that none may ever be missing */
    IDS = 4000,
    VALUE_MAX = 5000,
    ROUND = 64,     /* operations between looks at the board */
    LONGEST = 1200, /* seconds that a process lives at most */
    LATER = 2000000000
};

typedef struct {
    uint64_t operations; /* of all processes */
    uint64_t hits;       /* views that were found */
    int is_over;
} board_t;

static kc_store_t *store;
static kc_view_cache_t *cache;
static board_t *board; /* shared */
static const unsigned char scope[KC_VIEW_CACHE_SCOPE_SIZE] = "stress";

static void fail(const char *what, unsigned int number)
{
    printf("stress: %s (%u)\n", what, number);
    (void)fflush(stdout);
    _exit(1);
}

static int64_t clock_now(void *context)
{
    (void)context;
    return 1000;
}

static uint32_t next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* ---------------------------------------------------------------- values that can be recognised */

static unsigned char byte_of(uint32_t number, uint32_t version, size_t i)
{
    return (unsigned char)((number * 2654435761u ^ version * 40503u) + i * 167u + (i >> 8));
}

/* Eight bytes say whose it is and which, the rest follows from them. */
static size_t make_value(uint32_t number, uint32_t version, unsigned char *out)
{
    size_t len = 8 + version * 37u % (VALUE_MAX - 8), i;

    memcpy(out, &number, 4);
    memcpy(out + 4, &version, 4);
    for (i = 8; i < len; i++)
        out[i] = byte_of(number, version, i);
    return len;
}

static int is_whole(uint32_t number, kc_bytes_t value)
{
    uint32_t version, owner;
    size_t i;

    if (value.len < 8)
        return 0;
    memcpy(&owner, value.data, 4);
    memcpy(&version, value.data + 4, 4);
    if (owner != number || value.len != 8 + version * 37u % (VALUE_MAX - 8))
        return 0;
    for (i = 8; i < value.len; i++) {
        if (value.data[i] != byte_of(number, version, i))
            return 0;
    }
    return 1;
}

/* ---------------------------------------------------------------- one operation */

static void write_key(uint32_t number, uint32_t version)
{
    unsigned char room[VALUE_MAX];
    kc_bytes_t value = {room, make_value(number, version, room)};
    char key[KC_STORE_KEY_LEN + 1];
    kc_err_t err;

    (void)snprintf(key, sizeof(key), "%08x%056x", number * 2654435761u, number);
    if (kc_store_put(store, key, value, LATER, &err) != KC_OK)
        fail(err.detail, number);
}

static void read_key(uint32_t number, apr_pool_t *pool)
{
    char text[KC_STORE_KEY_LEN + 1];
    const char *key = text;
    kc_store_item_t item;
    kc_err_t err;

    (void)snprintf(text, sizeof(text), "%08x%056x", number * 2654435761u, number);
    if (kc_store_get(store, &key, 1, &item, pool, &err) != KC_OK)
        fail(err.detail, number);
    if (!item.value.data)
        fail("a value is lost", number);
    if (!is_whole(number, item.value))
        fail("a value of the store is torn", number);
}

static int visit_view(uint32_t number, uint32_t choice, apr_pool_t *pool)
{
    unsigned char room[VALUE_MAX], id[KC_VIEW_CACHE_ID_SIZE] = "id";
    kc_view_cache_view_t view, fresh = {{room, 0}, choice, LATER, "", ""};
    kc_view_cache_ticket_t ticket;
    int is_found;

    memcpy(id + 8, &number, sizeof(number));
    is_found = kc_view_cache_find(cache, scope, id, choice % 1000, pool, &ticket, &view);
    if (is_found && !is_whole(number, view.bytes))
        fail("a view is torn", number);
    if (is_found && choice % 5 == 0)
        kc_view_cache_vouch(&ticket, &view, view.checked_ms + 1);
    if (is_found && choice % 7 == 0)
        (void)kc_view_cache_touch(&ticket, &view, view.moment + 1);
    if (is_found && choice % 11 == 0)
        (void)kc_view_cache_claim(&ticket, choice, 10);
    if (choice % 13 == 0)
        kc_view_cache_drop(cache, &ticket);
    if (!is_found || choice % 3 == 0) {
        fresh.bytes.len = make_value(number, choice, room);
        kc_view_cache_put(cache, &ticket, &fresh, choice % 1000);
    }
    return is_found;
}

static void *work(void *context)
{
    uint32_t state = *(const uint32_t *)context;
    apr_pool_t *pool;
    int i, hits;

    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS)
        fail("no memory", 0);
    while (!__atomic_load_n(&board->is_over, __ATOMIC_ACQUIRE)) {
        hits = 0;
        for (i = 0; i < ROUND; i++) {
            uint32_t choice = next(&state);

            if (choice % 4 == 0)
                write_key(next(&state) % KEYS, choice);
            else if (choice % 4 == 1)
                read_key(next(&state) % KEYS, pool);
            else
                hits += visit_view(next(&state) % IDS, next(&state), pool);
        }
        (void)__atomic_add_fetch(&board->operations, ROUND, __ATOMIC_RELAXED);
        (void)__atomic_add_fetch(&board->hits, (uint64_t)hits, __ATOMIC_RELAXED);
        apr_pool_clear(pool);
    }
    apr_pool_destroy(pool);
    return NULL;
}

/* ---------------------------------------------------------------- processes */

/* A process ends with the one that made it, however that ends: it would go on for ever, and hold
 * the pipe that somebody reads to its end. */
static void end_with(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
        _exit(1);
    (void)alarm(LONGEST);
}

static pid_t begin(uint32_t seed)
{
    pthread_t threads[THREADS];
    uint32_t seeds[THREADS];
    pid_t parent = getpid(), pid = fork();
    int i;

    if (pid < 0)
        fail("no process can be made", 0);
    if (pid)
        return pid;
    end_with(parent);
    for (i = 0; i < THREADS; i++) {
        seeds[i] = seed * 31 + (uint32_t)i * 7919 + 1;
        if (pthread_create(&threads[i], NULL, work, &seeds[i]))
            fail("no thread can be made", 0);
    }
    for (i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    exit(0);
}

static void nap(long nanoseconds)
{
    struct timespec span = {nanoseconds / 1000000000, nanoseconds % 1000000000};

    (void)nanosleep(&span, NULL);
}

/* Status 0, or that it was killed where that is expected. */
static void reap(pid_t pid, int is_killed)
{
    int status = 0;

    if (waitpid(pid, &status, 0) != pid)
        fail("a process is not there", 0);
    if (is_killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return;
    if (!WIFEXITED(status) || WEXITSTATUS(status))
        fail("a process ended badly", (unsigned int)status);
}

static void look_at_all(apr_pool_t *pool)
{
    uint32_t i;

    for (i = 0; i < KEYS; i++)
        read_key(i, pool);
    apr_pool_clear(pool);
}

static void kill_many(pid_t *pids, unsigned int count, apr_pool_t *pool)
{
    uint32_t state = 12345;
    unsigned int i;

    for (i = 0; i < count; i++) {
        pid_t *victim = &pids[next(&state) % PROCESSES];

        nap(200000 + (long)(next(&state) % 1000) * 1000);
        (void)kill(*victim, SIGKILL);
        reap(*victim, 1);
        look_at_all(pool);
        *victim = begin(i + 100);
    }
}

static void set_up(apr_pool_t *pool)
{
    static const kc_siphash_key_t key = {{1, 2}};
    kc_store_t *shared;
    kc_err_t err;
    uint32_t i;

    board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        fail("no shared memory", 0);
    if (kc_store_shm_create(STORE_SIZE, clock_now, NULL, pool, &shared, &err) != KC_OK ||
        kc_store_coalescing_create(shared, 1, pool, &store, &err) != KC_OK ||
        kc_view_cache_create(CACHE_SIZE, &key, pool, &cache, &err) != KC_OK)
        fail(err.detail, 0);
    for (i = 0; i < KEYS; i++)
        write_key(i, i);
}

int main(int argc, char **argv)
{
    unsigned int number = argc == 3 ? (unsigned int)strtoul(argv[2], NULL, 10) : 0;
    int is_killing = argc == 3 && strcmp(argv[1], "kill") == 0;
    pid_t pids[PROCESSES];
    apr_pool_t *pool, *scratch;
    uint32_t i;

    if (!number || (!is_killing && strcmp(argv[1], "race") != 0)) {
        (void)fprintf(stderr, "usage: stress kill COUNT | race SECONDS\n");
        return 2;
    }
    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS ||
        apr_pool_create(&scratch, pool) != APR_SUCCESS)
        return 2;
    set_up(pool);
    for (i = 0; i < PROCESSES; i++)
        pids[i] = begin(i);
    if (is_killing)
        kill_many(pids, number, scratch);
    else
        nap((long)number * 1000000000L);
    __atomic_store_n(&board->is_over, 1, __ATOMIC_RELEASE);
    for (i = 0; i < PROCESSES; i++)
        reap(pids[i], 0);
    look_at_all(scratch);
    printf("%llu operations, %llu views found, %u killed\n", (unsigned long long)board->operations,
           (unsigned long long)board->hits, is_killing ? number : 0);
    apr_pool_destroy(pool);
    return board->hits ? 0 : 1;
}
