/* Idle time: the record of a session's last use.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session_idle.h"

#include <string.h>

#include "crypto/crypto.h"
#include "crypto/siphash.h"
#include "rp.h"
#include "session/session_index.h"
#include "session/session_view.h"
#include "store/store.h"

/* The record, big endian: a word of the version (8 bits) and the seconds since 1970 (56 bits), and
 * a hash of two words. */
enum {
    VERSION = 1,
    TIME_BITS = 56,
    WORD = 8, /* bytes */
    WORDS = 3,
    RECORD_SIZE = WORDS * WORD,
    ENDS = 8,  /* characters at either end of a key, which decide its servers */
    SLACK = 60 /* seconds for which the store keeps a session that is over */
};

static int64_t now_of(const kc_rp_t *rp)
{
    return rp->env->now(rp->env->context);
}

/* ---------------------------------------------------------------- the record */

void kc_session_idle_name(const char *key, char *name)
{
    size_t i;

    memcpy(name, key, KC_STORE_KEY_LEN);
    for (i = ENDS; i < KC_STORE_KEY_LEN - ENDS; i++)
        name[i] = key[KC_STORE_KEY_LEN - 1 - i];
    name[KC_STORE_KEY_LEN] = '\0';
}

static uint64_t read_word(const unsigned char *bytes)
{
    uint64_t word = 0;
    size_t i;

    for (i = 0; i < WORD; i++)
        word = word << 8 | bytes[i];
    return word;
}

static void write_word(uint64_t word, unsigned char *bytes)
{
    size_t i;

    for (i = WORD; i; i--, word >>= 8)
        bytes[i - 1] = (unsigned char)word;
}

/* One half of the session's random id is the key; the other half is hashed with the time. The id is
 * read as words, so that nodes of either byte order get the same hash. */
static void seal(const unsigned char *id, uint64_t time, unsigned char *out)
{
    const kc_siphash_key_t key = {{read_word(id), read_word(id + WORD)}};
    const uint64_t words[WORDS] = {read_word(id + (size_t)2 * WORD),
                                   read_word(id + (size_t)3 * WORD), time};
    uint64_t result[2];
    kc_siphash_t hash;

    kc_siphash_init(&hash, &key);
    kc_siphash_put(&hash, (const unsigned char *)words, sizeof(words));
    kc_siphash_end(&hash, result);
    write_word(time, out);
    write_word(result[0], out + WORD);
    write_word(result[1], out + (size_t)2 * WORD);
}

/* The time of a genuine record; 0 for any other. */
static int64_t open_record(const unsigned char *id, kc_bytes_t record)
{
    unsigned char expected[RECORD_SIZE];
    uint64_t time;

    if (!record.data || record.len != RECORD_SIZE)
        return 0;
    time = read_word(record.data);
    seal(id, time, expected);
    if (time >> TIME_BITS != VERSION ||
        !kc_crypto_is_equal(record.data, RECORD_SIZE, expected, RECORD_SIZE))
        return 0;
    return (int64_t)(time & ((UINT64_C(1) << TIME_BITS) - 1));
}

static void put_record(const kc_session_t *session, int64_t now)
{
    unsigned char bytes[RECORD_SIZE];
    const kc_bytes_t record = {bytes, sizeof(bytes)};
    const kc_rp_t *rp = session->rp;
    char name[KC_STORE_KEY_LEN + 1];

    kc_session_idle_name(session->key, name);
    seal(session->id, (uint64_t)VERSION << TIME_BITS | (uint64_t)now, bytes);
    (void)kc_store_put(rp->env->sessions, name, record, kc_session_idle_keep(session, rp), NULL);
}

/* ---------------------------------------------------------------- times */

int64_t kc_session_idle_end(const kc_session_t *session, int64_t used)
{
    return kc_session_view_earlier(used + session->rp->conf->session_idle, session->expires);
}

int64_t kc_session_idle_keep(const kc_session_t *session, const kc_rp_t *rp)
{
    return kc_session_view_earlier(now_of(rp) + rp->conf->session_idle + SLACK, session->expires);
}

void kc_session_idle_use(const kc_session_t *session)
{
    const kc_rp_t *rp = session->rp;

    put_record(session, now_of(rp));
    (void)kc_store_touch(rp->env->sessions, session->key, kc_session_idle_keep(session, rp), NULL);
}

int64_t kc_session_idle_read(const kc_session_t *session, kc_bytes_t record, apr_pool_t *pool)
{
    int64_t now = now_of(session->rp), used = open_record(session->id, record), noted;

    if (!used) {
        used = session->created;
        noted =
            now >= kc_session_idle_end(session, used) ? kc_session_index_touched(session, pool) : 0;
        if (noted > used)
            used = noted;
    }
    /* a time later by more than the clock skew: the clocks of hosts always differ a little */
    if (used > now + session->rp->conf->clock_skew)
        kc_session_idle_use(session);
    return kc_session_view_earlier(used, now);
}
