/* memcached's binary protocol. What a server states of lengths is compared with what may be.
 * SPDX-License-Identifier: Apache-2.0 */
#include "memcached.h"

#include <stdlib.h>
#include <string.h>

#include "crypto.h"

enum {
    HEADER = 24,
    MAGIC_REQUEST = 0x80,
    MAGIC_RESPONSE = 0x81,
    EXTRAS_MAX = 8,
    FLAGS_LEN = 4,              /* of a found value */
    BODY_MAX = 8 * 1024 * 1024, /* of a value that somebody else has put there */
    TEXT_MAX = 4096,            /* of what is said with a failure */
    STATS_MAX = 1000,           /* rows of statistics */
    WORD_MAX = 250,             /* of a name or a password */
    LAST = 0x4c415354           /* what comes back with the end of a question's answer */
};

typedef enum {
    OP_SET = 0x01,
    OP_ADD = 0x02,
    OP_DELETE = 0x04,
    OP_NOOP = 0x0a,
    OP_GETK = 0x0c,
    OP_GETKQ = 0x0d,
    OP_STAT = 0x10,
    OP_TOUCH = 0x1c,
    OP_SASL_AUTH = 0x21
} opcode_t;

/* Of an answer. */
typedef struct {
    uint8_t opcode;
    uint16_t key_len;
    uint8_t extras_len;
    uint16_t status;
    uint32_t body_len; /* extras, key and value */
    uint32_t opaque;   /* what was sent along with the request */
} head_t;

/* ---------------------------------------------------------------- requests */

static void write16(unsigned char *to, uint16_t value)
{
    to[0] = (unsigned char)(value >> 8);
    to[1] = (unsigned char)value;
}

static void write32(unsigned char *to, uint32_t value)
{
    write16(to, (uint16_t)(value >> 16));
    write16(to + 2, (uint16_t)value);
}

/* The head of a request; value_len bytes follow key and extras. */
static void head_write(unsigned char to[HEADER], opcode_t opcode, size_t key_len, size_t extras_len,
                       size_t value_len, uint32_t opaque)
{
    memset(to, 0, HEADER);
    to[0] = MAGIC_REQUEST;
    to[1] = (unsigned char)opcode;
    write16(to + 2, (uint16_t)key_len);
    to[4] = (unsigned char)extras_len;
    write32(to + 8, (uint32_t)(extras_len + key_len + value_len));
    write32(to + 12, opaque);
}

static kc_memcached_end_t ended(kc_wire_end_t end)
{
    if (end == KC_WIRE_OK)
        return KC_MEMCACHED_OK;
    return end == KC_WIRE_LATE ? KC_MEMCACHED_LATE : KC_MEMCACHED_CUT;
}

kc_memcached_end_t kc_memcached_ask(kc_wire_t *wire, const char *const *keys, size_t count,
                                    const kc_wire_time_t *time)
{
    unsigned char out[(KC_STORE_GET_MAX + 1) * (HEADER + KC_STORE_KEY_LEN)], *to = out;
    size_t i;

    for (i = 0; i < count && i < KC_STORE_GET_MAX; i++) {
        head_write(to, OP_GETKQ, KC_STORE_KEY_LEN, 0, 0, (uint32_t)i);
        memcpy(to + HEADER, keys[i], KC_STORE_KEY_LEN);
        to += HEADER + KC_STORE_KEY_LEN;
    }
    head_write(to, OP_NOOP, 0, 0, 0, LAST);
    to += HEADER;
    return ended(kc_wire_send(wire, out, (size_t)(to - out), 0, time));
}

/* ---------------------------------------------------------------- answers */

static uint16_t read16(const unsigned char *from)
{
    return (uint16_t)(from[0] << 8 | from[1]);
}

static uint32_t read32(const unsigned char *from)
{
    return (uint32_t)read16(from) << 16 | read16(from + 2);
}

static kc_memcached_end_t head_read(kc_wire_t *wire, head_t *head, const kc_wire_time_t *time)
{
    unsigned char raw[HEADER];
    kc_memcached_end_t end = ended(kc_wire_read(wire, raw, HEADER, time));

    if (end != KC_MEMCACHED_OK)
        return end;
    head->opcode = raw[1];
    head->key_len = read16(raw + 2);
    head->extras_len = raw[4];
    head->status = read16(raw + 6);
    head->body_len = read32(raw + 8);
    head->opaque = read32(raw + 12);
    if (raw[0] != MAGIC_RESPONSE || head->extras_len > EXTRAS_MAX || head->body_len > BODY_MAX ||
        (uint32_t)head->extras_len + head->key_len > head->body_len)
        return KC_MEMCACHED_NONSENSE;
    return KC_MEMCACHED_OK;
}

/* What the status says; the body is read and forgotten. */
static kc_memcached_end_t status_read(kc_wire_t *wire, const head_t *head,
                                      const kc_wire_time_t *time)
{
    kc_memcached_end_t end;

    if (head->body_len > TEXT_MAX)
        return KC_MEMCACHED_NONSENSE;
    end = ended(kc_wire_read(wire, NULL, head->body_len, time));
    if (end != KC_MEMCACHED_OK)
        return end;
    switch (head->status) {
    case 0x00:
        return KC_MEMCACHED_OK;
    case 0x01:
        return KC_MEMCACHED_MISS;
    case 0x02: /* add */
    case 0x05: /* the same, as some have it */
        return KC_MEMCACHED_EXISTS;
    case 0x03:
        return KC_MEMCACHED_TOO_LARGE;
    case 0x20:
    case 0x21:
        return KC_MEMCACHED_SIGN_IN;
    case 0x81: /* unknown command: by a server without SASL, or none of ours */
        return KC_MEMCACHED_NONSENSE;
    default:
        return KC_MEMCACHED_FAILED;
    }
}

/* A value that was found: flags, the key, and the value itself. */
static kc_memcached_end_t item_read(kc_wire_t *wire, const head_t *head, const char *key,
                                    kc_store_memcached_item_t *item, apr_pool_t *pool,
                                    const kc_wire_time_t *time)
{
    unsigned char front[FLAGS_LEN + KC_STORE_KEY_LEN], *value = NULL;
    size_t len;
    kc_memcached_end_t end;

    if (head->extras_len != FLAGS_LEN || head->key_len != KC_STORE_KEY_LEN)
        return KC_MEMCACHED_NONSENSE;
    end = ended(kc_wire_read(wire, front, sizeof(front), time));
    if (end != KC_MEMCACHED_OK)
        return end;
    if (memcmp(front + FLAGS_LEN, key, KC_STORE_KEY_LEN) != 0)
        return KC_MEMCACHED_NONSENSE;
    len = head->body_len - sizeof(front);
    if (len <= KC_STORE_VALUE_MAX)
        value = apr_palloc(pool, len + 1);
    end = ended(kc_wire_read(wire, value, len, time));
    if (end != KC_MEMCACHED_OK || !value)
        return end;
    item->value.data = value;
    item->value.len = len;
    item->flags = read32(front);
    return KC_MEMCACHED_OK;
}

kc_memcached_end_t kc_memcached_take(kc_wire_t *wire, const char *const *keys, size_t count,
                                     kc_store_memcached_item_t *items, apr_pool_t *pool,
                                     const kc_wire_time_t *time)
{
    size_t next = 0; /* answers come in the order of the questions */
    kc_memcached_end_t end;
    head_t head;

    memset(items, 0, count * sizeof(*items));
    while ((end = head_read(wire, &head, time)) == KC_MEMCACHED_OK) {
        if (head.status) {
            end = status_read(wire, &head, time);
            return end < KC_MEMCACHED_LATE ? KC_MEMCACHED_NONSENSE : end;
        }
        if (head.opcode == OP_NOOP && head.opaque == LAST && !head.body_len)
            return kc_wire_has_rest(wire) ? KC_MEMCACHED_NONSENSE : KC_MEMCACHED_OK;
        if ((head.opcode != OP_GETKQ && head.opcode != OP_GETK) || head.opaque < next ||
            head.opaque >= count)
            return KC_MEMCACHED_NONSENSE;
        next = (size_t)head.opaque + 1;
        end = item_read(wire, &head, keys[head.opaque], &items[head.opaque], pool, time);
        if (end != KC_MEMCACHED_OK)
            return end;
    }
    return end;
}

/* ---------------------------------------------------------------- commands */

static kc_memcached_end_t answer_read(kc_wire_t *wire, opcode_t opcode, const kc_wire_time_t *time)
{
    kc_memcached_end_t end;
    head_t head;

    end = head_read(wire, &head, time);
    if (end != KC_MEMCACHED_OK)
        return end;
    if (head.opcode != opcode || head.opaque != LAST)
        return KC_MEMCACHED_NONSENSE;
    end = status_read(wire, &head, time);
    return end < KC_MEMCACHED_LATE && kc_wire_has_rest(wire) ? KC_MEMCACHED_NONSENSE : end;
}

static opcode_t opcode_of(kc_store_memcached_verb_t verb)
{
    switch (verb) {
    case KC_STORE_MEMCACHED_PUT:
        return OP_SET;
    case KC_STORE_MEMCACHED_ADD:
        return OP_ADD;
    case KC_STORE_MEMCACHED_TOUCH:
        return OP_TOUCH;
    default:
        return OP_DELETE;
    }
}

/* What may be said to this command; anything else is none of memcached's answers. */
static kc_memcached_end_t fitting(kc_store_memcached_verb_t verb, kc_memcached_end_t end)
{
    int is_write = verb == KC_STORE_MEMCACHED_PUT || verb == KC_STORE_MEMCACHED_ADD;

    if ((end == KC_MEMCACHED_MISS && is_write) ||
        (end == KC_MEMCACHED_EXISTS && verb != KC_STORE_MEMCACHED_ADD) ||
        (end == KC_MEMCACHED_TOO_LARGE && !is_write))
        return KC_MEMCACHED_NONSENSE;
    return end;
}

kc_memcached_end_t kc_memcached_do(kc_wire_t *wire, const kc_store_memcached_command_t *command,
                                   uint32_t expiry, const kc_wire_time_t *time)
{
    unsigned char front[HEADER + EXTRAS_MAX + KC_STORE_KEY_LEN];
    const opcode_t opcode = opcode_of(command->verb);
    const int is_write = opcode == OP_SET || opcode == OP_ADD;
    const size_t extras = is_write ? 8 : opcode == OP_TOUCH ? 4 : 0;
    const size_t value_len = is_write ? command->value.len : 0;
    const size_t len = HEADER + extras + KC_STORE_KEY_LEN;
    kc_memcached_end_t end;

    head_write(front, opcode, KC_STORE_KEY_LEN, extras, value_len, LAST);
    if (is_write)
        write32(front + HEADER, command->flags);
    if (extras)
        write32(front + HEADER + extras - 4, expiry);
    memcpy(front + HEADER + extras, command->key, KC_STORE_KEY_LEN);
    end = ended(kc_wire_send(wire, front, len, value_len > 0, time));
    if (end == KC_MEMCACHED_OK && value_len)
        end = ended(kc_wire_send(wire, command->value.data, value_len, 0, time));
    if (end == KC_MEMCACHED_OK)
        end = answer_read(wire, opcode, time);
    return fitting(command->verb, end);
}

kc_memcached_end_t kc_memcached_sign_in(kc_wire_t *wire, const char *user, const char *password,
                                        const kc_wire_time_t *time)
{
    static const char mechanism[] = "PLAIN";
    unsigned char out[HEADER + sizeof(mechanism) + 2 * (WORD_MAX + 1)], *to = out + HEADER;
    const size_t user_len = strlen(user), password_len = strlen(password);
    kc_memcached_end_t end;

    if (user_len > WORD_MAX || password_len > WORD_MAX)
        return KC_MEMCACHED_SIGN_IN;
    head_write(out, OP_SASL_AUTH, sizeof(mechanism) - 1, 0, user_len + password_len + 2, LAST);
    memcpy(to, mechanism, sizeof(mechanism)); /* with the NUL that follows: no other identity */
    to += sizeof(mechanism);
    memcpy(to, user, user_len + 1);
    to += user_len + 1;
    memcpy(to, password, password_len);
    to += password_len;
    end = ended(kc_wire_send(wire, out, (size_t)(to - out), 0, time));
    kc_crypto_cleanse(out, sizeof(out));
    if (end == KC_MEMCACHED_OK)
        end = answer_read(wire, OP_SASL_AUTH, time);
    return end == KC_MEMCACHED_OK || end >= KC_MEMCACHED_LATE ? end : KC_MEMCACHED_NONSENSE;
}

/* A row of statistics: its name and value, as text. */
static kc_memcached_end_t row_read(kc_wire_t *wire, const head_t *head, int64_t *seconds,
                                   const kc_wire_time_t *time)
{
    static const char name[] = "time";
    char row[sizeof(name) + 20];
    const size_t len = head->body_len;
    kc_memcached_end_t end;

    if (head->extras_len || len > TEXT_MAX)
        return KC_MEMCACHED_NONSENSE;
    if (head->key_len != sizeof(name) - 1 || len >= sizeof(row))
        return ended(kc_wire_read(wire, NULL, len, time));
    end = ended(kc_wire_read(wire, row, len, time));
    row[end == KC_MEMCACHED_OK ? len : 0] = '\0';
    if (end == KC_MEMCACHED_OK && !memcmp(row, name, sizeof(name) - 1) &&
        strspn(row + sizeof(name) - 1, "0123456789") == len - (sizeof(name) - 1) && len < 20)
        *seconds = strtoll(row + sizeof(name) - 1, NULL, 10);
    return end;
}

kc_memcached_end_t kc_memcached_clock(kc_wire_t *wire, int64_t *seconds, const kc_wire_time_t *time)
{
    unsigned char out[HEADER];
    kc_memcached_end_t end;
    head_t head;
    int rows;

    *seconds = 0;
    head_write(out, OP_STAT, 0, 0, 0, LAST);
    end = ended(kc_wire_send(wire, out, sizeof(out), 0, time));
    for (rows = 0; end == KC_MEMCACHED_OK && rows < STATS_MAX; rows++) {
        end = head_read(wire, &head, time);
        if (end != KC_MEMCACHED_OK)
            return end;
        if (head.opcode != OP_STAT || head.opaque != LAST)
            return KC_MEMCACHED_NONSENSE;
        if (head.status) {
            end = status_read(wire, &head, time);
            return end < KC_MEMCACHED_LATE ? KC_MEMCACHED_NONSENSE : end;
        }
        if (!head.body_len)
            return *seconds && !kc_wire_has_rest(wire) ? KC_MEMCACHED_OK : KC_MEMCACHED_NONSENSE;
        end = row_read(wire, &head, seconds, time);
    }
    return end == KC_MEMCACHED_OK ? KC_MEMCACHED_NONSENSE : end;
}
