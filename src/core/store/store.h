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

/* Shared memory, made before fork and inherited by the children; a child killed at any instruction
 * leaves it usable. Values of any size share all of it, but for a twentieth that KC_STORE_OPEN has
 * for itself; marks may have an eighth. Full: expired values, then the oldest (written or touched)
 * make room. An operation waits for a lock as long as its owner goes on or dies, at most
 * KC_SHM_LOCK_PATIENCE_MS (shm_lock.h), then it is KC_DOWN. size in bytes (at least 1 MiB, else
 * KC_REFUSED). now/context: the clock, in seconds. The mapping is released with pool (the process
 * pool, to live across graceful restarts). */
kc_rc_t kc_store_shm_create(size_t size, int64_t (*now)(void *context), void *context,
                            apr_pool_t *pool, kc_store_t **out, kc_err_t *err);
/* httpd unloads the module's code at each restart, and a store's functions with it. What may be
 * kept over a restart is the memory alone: remember kc_store_shm_memory and its size in the process
 * pool; the reloaded code attaches to it with a handle of its own, in pool. attach is KC_REFUSED
 * when the memory has another size or another version's layout; then make a new one. */
void *kc_store_shm_memory(const kc_store_t *store);
kc_rc_t kc_store_shm_attach(void *memory, size_t size, int64_t (*now)(void *context), void *context,
                            apr_pool_t *pool, kc_store_t **out, kc_err_t *err);

/* Has report called when values that lived had to make room, with their count since the last call:
 * at most once a minute for all processes, without a lock. Before the store is shared. */
void kc_store_shm_report(kc_store_t *store, void (*report)(void *context, uint64_t count),
                         void *context);
/* How many there have been since the memory was made. */
uint64_t kc_store_shm_evicted(const kc_store_t *store);

/* memcached servers, over libmemcached. */
typedef struct kc_store_memcached_options_t {
    const char *const *servers; /* host:port, or host (port 11211), or [v6]:port */
    size_t count;
    size_t copies;      /* of each value; as many as there are servers when that is less */
    int64_t timeout_ms; /* a server is late after it, and given up after three times as long */
    const char *user;   /* for SASL (PLAIN); NULL: none */
    const char *password;
    /* One for each server, zeros at first, in memory that outlives the store: processes that share
     * them learn from each other which server fails. NULL: the store has its own. */
    kc_breaker_t *breakers;
    kc_resolver_t *resolver;       /* of the servers' names; NULL: the store has its own */
    int64_t (*now)(void *context); /* the clock, in seconds */
    /* Called when a server is passed by from now on, and when it is asked again; may be NULL. */
    void (*report)(void *context, const char *server, int is_up, const char *why);
    void *context;
} kc_store_memcached_options_t;

/* 1 when libmemcached has SASL. */
int kc_store_memcached_can_sign_in(void);

/* Made after fork. Each key has an order of all servers (rendezvous hashing: a server that comes or
 * goes moves no other's keys), of which the first `copies` are its homes. Keys with the same first
 * and last eight characters have the same order, and so have a key and the same key read backwards.
 *
 * Values are written to the first servers of the order that work, as many as there are copies, and
 * read from them all at once; the copy written last counts, and a server that lacks it is given it.
 * A server that fails is passed by for up to half a second (breaker.h). A key is absent when a home
 * of it says so and nobody has it, and is_partial when another home has not answered; when no home
 * answers, that is KC_DOWN. A put that reaches one server is KC_OK; an add that finds the key
 * anywhere is KC_EXISTS.
 *
 * A KC_STORE_MARK goes to the homes, also to those that are passed by at the moment, and to every
 * other server that works: 1 home of 1 or 2, or 2 of 3, have to take it. A strict majority of two
 * would make each of them alone a reason for failure, though each read asks both.
 *
 * KC_FAULT for malformed servers or options. */
kc_rc_t kc_store_replicas_create(const kc_store_memcached_options_t *options, apr_pool_t *pool,
                                 kc_store_t **out, kc_err_t *err);

/* A store before another, for the threads of one process: a get that comes while one is under way
 * waits for its end, but not longer than patience_ms milliseconds, and then shares one question
 * with all who have waited (up to KC_STORE_GET_MAX keys, equal ones once). Who is told of an outage
 * that may be another key's asks once more, alone. Everything else goes
 * straight on. inner must outlive it. */
kc_rc_t kc_store_combined_create(kc_store_t *inner, int64_t patience_ms, apr_pool_t *pool,
                                 kc_store_t **out, kc_err_t *err);

#endif
