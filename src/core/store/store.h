/* Stores: the vtable over shared memory and memcached, which keep opaque sealed values.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STORE_H
#define KC_STORE_H

#include <apr_pools.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/breaker.h"
#include "net/resolver.h"

enum {
    KC_STORE_KEY_LEN = 64,              /* lower-case hex; bytes from a client never become a key */
    KC_STORE_VALUE_MAX = 512 * 1024,    /* bytes: memcached takes 1 MiB */
    KC_STORE_GET_MAX = 48,              /* keys in one get */
    KC_STORE_SERVERS_MAX = 64,          /* memcached servers */
    KC_STORE_SHM_SIZE_MIN = 1024 * 1024 /* bytes */
};

typedef struct kc_store_t kc_store_t;

/* Who can cause a value to be written. Where memory is short, values that any client can cause
 * evict only values of that kind. */
typedef enum kc_store_kind_t {
    KC_STORE_OWNED,    /* belongs to a signed-in user, or to the host */
    KC_STORE_CRITICAL, /* small, and needed although it is rarely read; no OWNED value evicts it.
                      With several servers, it must be stored by at least half of those that reads
                      will ask when all answer, and by every other one that answers. Otherwise the
                      result is KC_DOWN: it may be lost */
    KC_STORE_OPEN,     /* any client can cause it, with any number of requests */
    KC_STORE_KINDS
} kc_store_kind_t;

typedef struct kc_store_write_t {
    const char *key;
    kc_bytes_t value;
    int64_t expires_at; /* seconds since 1970 */
    kc_store_kind_t kind;
    int is_add; /* only when it is absent */
} kc_store_write_t;

/* What get found for one key. */
typedef struct kc_store_item_t {
    kc_bytes_t value;   /* in the pool; data is NULL: not there */
    int64_t expires_at; /* seconds since 1970; 0 when the store cannot tell */
    int is_partial; /* no server that answered has it, but some servers that might have it did not
                       answer */
} kc_store_item_t;

/* Every function is safe to call from several threads, returns within the store's deadline, and
 * holds no lock across I/O. KC_DOWN with KC_ERR_STORE_DOWN always means that the store did not
 * answer or answered nonsense, never that something is absent. Expiry is absolute (seconds since
 * 1970); an expired item is absent. Keys are KC_STORE_KEY_LEN hex characters, NUL-terminated;
 * anything else is KC_REFUSED. */
typedef struct kc_store_vtable_t {
    const char *name; /* "shm", "memcached" */
    /* All keys in one round trip. KC_OK also when some or all are absent. */
    kc_rc_t (*get)(kc_store_t *store, const char *const *keys, size_t count, kc_store_item_t *items,
                   apr_pool_t *pool, kc_err_t *err);
    /* Writes or overwrites. KC_REFUSED with KC_ERR_STORE_VALUE when value is over
     * KC_STORE_VALUE_MAX (or the store's own limit). */
    kc_rc_t (*put)(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                   kc_err_t *err);
    /* Writes only when absent: KC_EXISTS when it is there. Atomic for all users of the store. */
    kc_rc_t (*add)(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                   kc_err_t *err);
    /* Changes the expiry: KC_MISS when absent. */
    kc_rc_t (*touch)(kc_store_t *store, const char *key, int64_t expires_at, kc_err_t *err);
    /* Deletes: KC_OK also when it was absent. */
    kc_rc_t (*drop)(kc_store_t *store, const char *key, kc_err_t *err);
    /* Whether it answers, see kc_store_probe. NULL: it always does. */
    kc_rc_t (*probe)(kc_store_t *store, const char *key, apr_pool_t *pool, kc_err_t *err);
    /* put or add with a kind; put and add themselves write KC_STORE_OWNED. NULL: kinds make no
     * difference. */
    kc_rc_t (*write)(kc_store_t *store, const kc_store_write_t *write, kc_err_t *err);
} kc_store_vtable_t;

struct kc_store_t {
    const kc_store_vtable_t *vtable;
};

/* These call the vtable after checking the arguments (keys, sizes, counts). */
kc_rc_t kc_store_get(kc_store_t *store, const char *const *keys, size_t count,
                     kc_store_item_t *items, apr_pool_t *pool, kc_err_t *err);
kc_rc_t kc_store_put(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                     kc_err_t *err);
kc_rc_t kc_store_add(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                     kc_err_t *err);
kc_rc_t kc_store_write(kc_store_t *store, const kc_store_write_t *write, kc_err_t *err);
kc_rc_t kc_store_touch(kc_store_t *store, const char *key, int64_t expires_at, kc_err_t *err);
kc_rc_t kc_store_drop(kc_store_t *store, const char *key, kc_err_t *err);
/* KC_OK when the store answers a get of a key that does not exist. Of several servers one is
 * enough. KC_DOWN when all fail, or are marked down. */
kc_rc_t kc_store_probe(kc_store_t *store, apr_pool_t *pool, kc_err_t *err);

#endif
