/* Stores: the vtable behind which shared memory and memcached keep opaque sealed values.
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
    KC_STORE_KEY_LEN = 64,              /* lower-case hex; client bytes never become a key */
    KC_STORE_VALUE_MAX = 512 * 1024,    /* bytes: memcached takes 1 MiB */
    KC_STORE_GET_MAX = 48,              /* keys in one get */
    KC_STORE_SERVERS_MAX = 64,          /* memcached servers */
    KC_STORE_SHM_SIZE_MIN = 1024 * 1024 /* bytes */
};

typedef struct kc_store_t kc_store_t;

/* Who can have a value written, where memory is short: what strangers can cause pushes out only its
 * like. */
typedef enum kc_store_kind_t {
    KC_STORE_OWNED, /* it belongs to somebody who has signed in, or to the host */
    KC_STORE_MARK,  /* small, and what it ends may be in use when it is not: no OWNED one pushes it
                       out; of several servers at least half of those that will be asked for it when
                       all answer have taken it, and everybody else who answers, else KC_DOWN: it may
                       be lost */
    KC_STORE_OPEN,  /* anybody, by as many requests as they like */
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
    int is_partial; /* it is not there as far as those tell who have answered; of the servers that
                       would have it some have not */
} kc_store_item_t;

/* Every function is safe to call from several threads, returns within the store's deadline, and
 * holds no lock across I/O. KC_DOWN with KC_ERR_STORE_DOWN always means that the store did not
 * answer or answered nonsense, never that something is absent. Expiry is absolute (seconds since
 * 1970); an expired item is absent. Keys are KC_STORE_KEY_LEN hex characters, NUL-terminated;
 * anything else is KC_REFUSED. */
typedef struct kc_store_vtable_t {
    const char *name; /* "shm", "memcached" */
    /* All keys in one round trip; KC_OK also when some or all are absent. */
    kc_rc_t (*get)(kc_store_t *store, const char *const *keys, size_t count, kc_store_item_t *items,
                   apr_pool_t *pool, kc_err_t *err);
    /* Writes or overwrites. KC_REFUSED with KC_ERR_STORE_VALUE when value is over
     * KC_STORE_VALUE_MAX (or the store's own cap). */
    kc_rc_t (*put)(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                   kc_err_t *err);
    /* Writes only when absent: KC_EXISTS when it is there. Atomic over everybody who shares the
     * store. */
    kc_rc_t (*add)(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                   kc_err_t *err);
    /* Moves the expiry: KC_MISS when absent. */
    kc_rc_t (*touch)(kc_store_t *store, const char *key, int64_t expires_at, kc_err_t *err);
    /* Deletes: KC_OK also when it was absent. */
    kc_rc_t (*drop)(kc_store_t *store, const char *key, kc_err_t *err);
    /* Whether it answers, see kc_store_probe. NULL: it always does. */
    kc_rc_t (*probe)(kc_store_t *store, const char *key, apr_pool_t *pool, kc_err_t *err);
    /* put or add of any kind; those two are of KC_STORE_OWNED. NULL: kinds make no difference. */
    kc_rc_t (*write)(kc_store_t *store, const kc_store_write_t *write, kc_err_t *err);
} kc_store_vtable_t;

struct kc_store_t {
    const kc_store_vtable_t *vtable;
};

/* The same through the vtable, with the arguments checked (keys, sizes, counts). */
kc_rc_t kc_store_get(kc_store_t *store, const char *const *keys, size_t count,
                     kc_store_item_t *items, apr_pool_t *pool, kc_err_t *err);
kc_rc_t kc_store_put(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                     kc_err_t *err);
kc_rc_t kc_store_add(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                     kc_err_t *err);
kc_rc_t kc_store_write(kc_store_t *store, const kc_store_write_t *write, kc_err_t *err);
kc_rc_t kc_store_touch(kc_store_t *store, const char *key, int64_t expires_at, kc_err_t *err);
kc_rc_t kc_store_drop(kc_store_t *store, const char *key, kc_err_t *err);
/* KC_OK when somebody answers, asked for a key that nobody has: of several servers one is enough.
 * KC_DOWN when all fail, or are passed by. */
kc_rc_t kc_store_probe(kc_store_t *store, apr_pool_t *pool, kc_err_t *err);

#endif
