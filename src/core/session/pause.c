/* A pause after a failure: the pause, the number of pauses so far, and which request may try.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/pause.h"

#include <string.h>

#include "store/lease.h"

enum {
    COUNT_MAX = 4, /* 1, 2, 4, 8 seconds, then KC_PAUSE_MAX */
    COUNT_AT = KC_STORE_KEY_LEN / 4,
    TURN_AT = 3 * KC_STORE_KEY_LEN / 4
};

typedef struct {
    char text[KC_STORE_KEY_LEN + 1];
} name_t;

/* Makes a further key from a name by rotating its digits. */
static name_t turned(const char *name, size_t at)
{
    name_t out;

    memcpy(out.text, name + at, KC_STORE_KEY_LEN - at);
    memcpy(out.text + KC_STORE_KEY_LEN - at, name, at);
    out.text[KC_STORE_KEY_LEN] = '\0';
    return out;
}

static int64_t now(const kc_env_t *env)
{
    return env->now(env->context);
}

static int64_t elapsed_ms(const kc_env_t *env)
{
    return env->elapsed_ms(env->context);
}

/* How many pauses there were lately, and whether one is on. */
static int look(const kc_env_t *env, const char *name, int *is_on, apr_pool_t *pool)
{
    name_t count = turned(name, COUNT_AT);
    const char *keys[] = {name, count.text};
    kc_store_item_t items[2];

    *is_on = 0;
    if (kc_store_get(env->host, keys, 2, items, pool, NULL) != KC_OK)
        return 0;
    *is_on = items[0].value.data && !kc_lease_is_over(items[0].value, elapsed_ms(env));
    return items[1].value.len == 1 ? items[1].value.data[0] : 0;
}

kc_pause_state_t kc_pause_look(const kc_env_t *env, const char *name, int64_t turn,
                               apr_pool_t *pool)
{
    static const unsigned char nobody[KC_LEASE_RANDOM_SIZE]; /* kc_pause_give_turn asks for none */
    name_t key = turned(name, TURN_AT);
    int is_on, count = look(env, name, &is_on, pool);
    kc_lease_t lease;

    if (is_on)
        return KC_PAUSE_ON;
    if (!count)
        return KC_PAUSE_NONE;
    kc_lease_init(&lease, env->host, key.text, nobody);
    return kc_lease_take_on_host(&lease, now(env), elapsed_ms(env), turn, pool, NULL) == KC_OK
               ? KC_PAUSE_TURN
               : KC_PAUSE_ON;
}

int kc_pause_is_on(const kc_env_t *env, const char *name, apr_pool_t *pool)
{
    int is_on;

    (void)look(env, name, &is_on, pool);
    return is_on;
}

int64_t kc_pause_count(const kc_env_t *env, const char *name, apr_pool_t *pool)
{
    name_t key = turned(name, COUNT_AT);
    int is_on, count = look(env, name, &is_on, pool);
    int64_t seconds = count < COUNT_MAX ? (int64_t)1 << count : KC_PAUSE_MAX;
    unsigned char value;
    const kc_bytes_t bytes = {&value, 1};

    value = (unsigned char)(count < COUNT_MAX ? count + 1 : count);
    (void)kc_store_put(env->host, key.text, bytes, now(env) + seconds + KC_PAUSE_MEMORY, NULL);
    return seconds;
}

void kc_pause_begin(const kc_env_t *env, const char *name, apr_pool_t *pool)
{
    int64_t seconds = kc_pause_count(env, name, pool);
    unsigned char end[KC_LEASE_END_SIZE];

    (void)kc_store_put(env->host, name, kc_lease_write_end(elapsed_ms(env) + seconds * 1000, end),
                       now(env) + seconds, NULL);
}

void kc_pause_end(const kc_env_t *env, const char *name)
{
    (void)kc_store_drop(env->host, turned(name, COUNT_AT).text, NULL);
    (void)kc_store_drop(env->host, name, NULL);
}

void kc_pause_give_turn(const kc_env_t *env, const char *name)
{
    (void)kc_store_drop(env->host, turned(name, TURN_AT).text, NULL);
}
