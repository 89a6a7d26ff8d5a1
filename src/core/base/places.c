/* Places, and which one is lost.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/places.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#include "base/buf.h"

enum { V6_SIZE = 16, NETWORK_SIZE = 8 /* bytes */ };

const char *kc_places_network(const char *address, apr_pool_t *pool)
{
    static const unsigned char mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    unsigned char bytes[V6_SIZE];
    char *network;

    if (inet_pton(AF_INET6, address, bytes) != 1 || !memcmp(bytes, mapped, sizeof(mapped)))
        return address;
    network = apr_palloc(pool, 2 * NETWORK_SIZE + 1);
    kc_buf_hex_to(bytes, NETWORK_SIZE, network);
    return network;
}

void kc_places_init(kc_places_t *places, uint32_t limit)
{
    memset(places, 0, sizeof(*places));
    (void)pthread_mutex_init(&places->lock, NULL);
    places->limit = limit;
}

static uint32_t count(const kc_places_t *places, const char *who, const char *comer)
{
    uint32_t sum = strcmp(who, comer) == 0;
    const kc_place_t *at;

    for (at = places->oldest; at; at = at->newer)
        sum += strcmp(at->who, who) == 0;
    return sum;
}

static void take_out(kc_places_t *places, kc_place_t *place)
{
    kc_place_t **link = &places->oldest;

    while (*link && *link != place)
        link = &(*link)->newer;
    if (!*link)
        return;
    *link = place->newer;
    places->taken--;
}

/* Among owners with equally many, the oldest place is lost: the list is in order. */
static void make_room(kc_places_t *places, const char *comer)
{
    kc_place_t *victim = NULL, *at;
    uint32_t most = 0;

    for (at = places->oldest; at; at = at->newer) {
        uint32_t sum = count(places, at->who, comer);

        if (sum > most) {
            most = sum;
            victim = at;
        }
    }
    if (!victim)
        return;
    take_out(places, victim);
    __atomic_store_n(&victim->is_lost, 1, __ATOMIC_RELAXED);
}

void kc_places_enter(kc_places_t *places, kc_place_t *place, const char *who)
{
    kc_place_t **link = &places->oldest;

    memset(place, 0, sizeof(*place));
    place->who = who;
    (void)pthread_mutex_lock(&places->lock);
    if (places->taken >= places->limit)
        make_room(places, who);
    while (*link)
        link = &(*link)->newer;
    *link = place;
    places->taken++;
    (void)pthread_mutex_unlock(&places->lock);
}

void kc_places_leave(kc_places_t *places, kc_place_t *place)
{
    (void)pthread_mutex_lock(&places->lock);
    take_out(places, place);
    (void)pthread_mutex_unlock(&places->lock);
}

int kc_places_is_lost(const kc_place_t *place)
{
    return __atomic_load_n(&place->is_lost, __ATOMIC_RELAXED) != 0;
}
