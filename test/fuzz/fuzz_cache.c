/* Fuzz target: the first tier. Three bytes are an operation: its kind, its session, and the size of
 * the view. A view that is found is complete, and the last one that was put.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "reach.h"
#include "store/view_cache.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FOUND, DROPPED, PUSHED_OUT };

reach_t reach[] = {{"view found", 0}, {"view dropped", 0}, {"view pushed out", 0}, {NULL, 0}};

enum { NOW = 1700000000, IDS = 64, STEP = 3, UNIT = 61 /* bytes */ };

/* What the cache may know of a session. */
typedef struct {
    int is_put;
    uint8_t size;
    int64_t moment, checked_ms;
} known_t;

static const unsigned char scope[KC_VIEW_CACHE_SCOPE_SIZE] = "fuzz";
static known_t known[IDS];
static kc_view_cache_t *cache;

static void need(int is_right)
{
    if (!is_right)
        abort();
}

static unsigned char byte_of(unsigned int id, uint8_t size, size_t place)
{
    return (unsigned char)(id * 31 + size * 7 + place);
}

static int find(unsigned int id, apr_pool_t *pool, kc_view_cache_ticket_t *ticket,
                kc_view_cache_view_t *view)
{
    const known_t *mine = &known[id];
    unsigned char name[KC_VIEW_CACHE_ID_SIZE] = {(unsigned char)id};
    int is_found = kc_view_cache_find(cache, scope, name, NOW, pool, ticket, view);
    size_t i;

    if (!is_found) {
        if (mine->is_put)
            reach_note(PUSHED_OUT);
        return 0;
    }
    reach_note(FOUND);
    need(mine->is_put && view->bytes.len == (size_t)mine->size * UNIT);
    for (i = 0; i < view->bytes.len; i++)
        need(view->bytes.data[i] == byte_of(id, mine->size, i));
    need(view->moment == mine->moment && view->checked_ms == mine->checked_ms);
    need(view->key[0] == (char)('a' + id % 26) && view->stamp[0] == mine->size);
    return 1;
}

static void put(unsigned int id, uint8_t size, apr_pool_t *pool)
{
    static unsigned char room[255 * UNIT];
    kc_view_cache_view_t old,
        view = {{room, (size_t)size * UNIT}, NOW * INT64_C(1000), NOW + 60, "", ""};
    kc_view_cache_ticket_t ticket;
    size_t i;

    (void)find(id, pool, &ticket, &old);
    for (i = 0; i < view.bytes.len; i++)
        room[i] = byte_of(id, size, i);
    memset(view.key, 'a' + (int)(id % 26), sizeof(view.key));
    memset(view.stamp, size, sizeof(view.stamp));
    kc_view_cache_put(cache, &ticket, &view, NOW);
    known[id].is_put = 1;
    known[id].size = size;
    known[id].moment = view.moment;
    known[id].checked_ms = view.checked_ms;
}

static void change(unsigned int which, unsigned int id, uint8_t size, apr_pool_t *pool)
{
    kc_view_cache_ticket_t ticket;
    kc_view_cache_view_t view;
    int is_found = find(id, pool, &ticket, &view);

    if (which == 0) {
        kc_view_cache_drop(cache, &ticket);
        known[id].is_put = 0;
        reach_note(DROPPED);
    } else if (is_found && which == 1) {
        kc_view_cache_vouch(&ticket, &view, view.checked_ms + size);
        known[id].checked_ms += size;
    } else if (is_found && kc_view_cache_touch(&ticket, &view, view.moment + size)) {
        known[id].moment += size;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const kc_siphash_key_t key = {{1, 2}};
    apr_pool_t *pool;
    size_t i;

    need(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    memset(known, 0, sizeof(known));
    need(kc_view_cache_create(KC_VIEW_CACHE_SIZE_MIN, &key, pool, &cache, NULL) == KC_OK);
    for (i = 0; i + STEP <= size && i < 4096; i += STEP) {
        unsigned int id = data[i + 1] % IDS;

        if (data[i] % 4 == 3)
            put(id, data[i + 2], pool);
        else
            change(data[i] % 4, id, data[i + 2], pool);
    }
    apr_pool_destroy(pool);
    return 0;
}

/* More large views than there is room for, each looked at and changed; then all are dropped. */
static void give_seeds(void)
{
    uint8_t seed[IDS * STEP * 4];
    size_t i, len = 0;
    uint8_t round;

    for (round = 0; round < 4; round++) {
        for (i = 0; i < IDS; i++) {
            seed[len++] = (uint8_t)(3 - round);
            seed[len++] = (uint8_t)i;
            seed[len++] = (uint8_t)(200 + i % 50);
        }
    }
    reach_seed("full", seed, len);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    need(apr_initialize() == APR_SUCCESS);
    give_seeds();
    return 0;
}
