/* Log lines that are written once for each name, although any client can cause them: a bounded list
 * of names.
 * SPDX-License-Identifier: Apache-2.0 */
#include "crypto/once.h"

#include <string.h>

#include "base/buf.h"

/* The hash of the two hashes, so that the end of one text cannot pass for the beginning of the
 * other. */
static kc_rc_t hash(const char *scope, const char *name, unsigned char *out)
{
    unsigned char both[2 * KC_CRYPTO_SHA256_SIZE];
    const kc_bytes_t bytes = {both, sizeof(both)};
    kc_rc_t rc = kc_crypto_sha256(kc_buf_text(scope), both, NULL);

    if (rc == KC_OK)
        rc = kc_crypto_sha256(kc_buf_text(name), both + KC_CRYPTO_SHA256_SIZE, NULL);
    return rc == KC_OK ? kc_crypto_sha256(bytes, out, NULL) : rc;
}

static int is_there(const kc_once_t *once, const unsigned char *name)
{
    size_t i;

    for (i = 0; i < once->count; i++) {
        if (!memcmp(once->names[i], name, KC_CRYPTO_SHA256_SIZE))
            return 1;
    }
    return 0;
}

/* 1 when one more name may be logged now. */
static int has_room(const kc_once_t *once, int64_t pause, int64_t now)
{
    if (!pause)
        return once->count < KC_ONCE_NAMES;
    return !once->count || now < once->last || once->spent - now <= (KC_ONCE_BURST - 1) * pause;
}

static void put(kc_once_t *once, const unsigned char *name, int64_t pause, int64_t now)
{
    if (now < once->last || once->spent < now)
        once->spent = now;
    once->spent += pause;
    once->last = now;
    memcpy(once->names[once->next], name, KC_CRYPTO_SHA256_SIZE);
    once->next = (once->next + 1) % KC_ONCE_NAMES;
    if (once->count < KC_ONCE_NAMES)
        once->count++;
}

int kc_once_is_first(kc_once_t *once, const char *scope, const char *name, int64_t pause,
                     int64_t now)
{
    unsigned char hashed[KC_CRYPTO_SHA256_SIZE];
    int is_first;

    if (hash(scope, name, hashed) != KC_OK)
        return 0;
    (void)pthread_mutex_lock(&once->lock);
    is_first = has_room(once, pause, now) && !is_there(once, hashed);
    if (is_first)
        put(once, hashed, pause, now);
    (void)pthread_mutex_unlock(&once->lock);
    return is_first;
}
