/* Fuzzes what a memcached server may answer to a question and to each command: whatever it states
 * of lengths, nothing beyond them is read or kept. SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "memcached.h"
#include "reach.h"

enum { TAKEN, DONE, SIGNED_IN };

reach_t reach[] = {{"values taken", 0}, {"command done", 0}, {"signed in", 0}, {NULL, 0}};

#define HOLDS(condition)  \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

enum { KEYS = 3, ANSWER_MAX = 64 * 1024 };

static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";
static const char ones[] = "1111111111111111111111111111111111111111111111111111111111111111";
static const char twos[] = "2222222222222222222222222222222222222222222222222222222222222222";
static const char *const keys[KEYS] = {zeros, ones, twos};

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return apr_initialize() == APR_SUCCESS ? 0 : 1;
}

/* A connection to a server that has said this and gone. */
static kc_wire_t *wire_to(const uint8_t *data, size_t size)
{
    const int room = 4 * ANSWER_MAX;
    int pair[2];

    HOLDS(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    (void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    HOLDS(send(pair[1], data, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size);
    HOLDS(!shutdown(pair[1], SHUT_WR));
    HOLDS(!fcntl(pair[0], F_SETFL, O_NONBLOCK));
    /* its end stays open, so that a question can be sent; one at a time is enough */
    {
        static int last = -1;

        if (last >= 0)
            (void)close(last);
        last = pair[1];
    }
    return kc_wire_adopt(pair[0]);
}

static void check_take(const uint8_t *data, size_t size, apr_pool_t *pool)
{
    kc_store_memcached_item_t items[KEYS];
    kc_patience_t patience;
    const kc_wire_time_t time = {&patience, NULL};
    kc_wire_t *wire = wire_to(data, size);
    kc_memcached_end_t end;
    size_t i, sum = 0;

    HOLDS(wire);
    kc_patience_start(&patience, 1000, NULL);
    HOLDS(kc_memcached_ask(wire, keys, KEYS, &time) == KC_MEMCACHED_OK);
    end = kc_memcached_take(wire, keys, KEYS, items, pool, &time);
    HOLDS(end == KC_MEMCACHED_OK || (end > KC_MEMCACHED_LATE && end <= KC_MEMCACHED_NONSENSE));
    for (i = 0; i < KEYS; i++) {
        HOLDS(items[i].value.data || !items[i].value.len);
        sum += items[i].value.len;
        if (items[i].value.len)
            HOLDS(memchr(items[i].value.data, items[i].value.data[0], items[i].value.len));
    }
    HOLDS(sum < size || !sum);
    if (end == KC_MEMCACHED_OK && sum)
        reach_note(TAKEN);
    kc_wire_close(wire);
}

static void check_command(kc_store_memcached_verb_t verb, const uint8_t *data, size_t size)
{
    const kc_store_memcached_command_t command = {
        verb, zeros, {(const unsigned char *)"v", 1}, 7, 0};
    kc_patience_t patience;
    const kc_wire_time_t time = {&patience, NULL};
    kc_wire_t *wire = wire_to(data, size);
    kc_memcached_end_t end;

    HOLDS(wire);
    kc_patience_start(&patience, 1000, NULL);
    end = kc_memcached_do(wire, &command, 60, &time);
    HOLDS(end != KC_MEMCACHED_LATE && end <= KC_MEMCACHED_NONSENSE);
    if (end == KC_MEMCACHED_OK)
        reach_note(DONE);
    HOLDS(end != KC_MEMCACHED_EXISTS || verb == KC_STORE_MEMCACHED_ADD);
    HOLDS(end != KC_MEMCACHED_MISS || verb >= KC_STORE_MEMCACHED_TOUCH);
    kc_wire_close(wire);
}

static void check_sign_in(const uint8_t *data, size_t size)
{
    kc_patience_t patience;
    const kc_wire_time_t time = {&patience, NULL};
    kc_wire_t *wire = wire_to(data, size);
    kc_memcached_end_t end;

    HOLDS(wire);
    kc_patience_start(&patience, 1000, NULL);
    end = kc_memcached_sign_in(wire, "user", "password", &time);
    HOLDS(end == KC_MEMCACHED_OK || end > KC_MEMCACHED_LATE);
    if (end == KC_MEMCACHED_OK)
        reach_note(SIGNED_IN);
    kc_wire_close(wire);
}

/* The first byte says to what the rest is an answer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    apr_pool_t *pool;

    if (!size || size > ANSWER_MAX || apr_pool_create(&pool, NULL) != APR_SUCCESS)
        return 0;
    switch (data[0]) {
    case 'g':
        check_take(data + 1, size - 1, pool);
        break;
    case 's':
        check_sign_in(data + 1, size - 1);
        break;
    default:
        check_command((kc_store_memcached_verb_t)(data[0] & 3), data + 1, size - 1);
    }
    apr_pool_destroy(pool);
    return 0;
}
