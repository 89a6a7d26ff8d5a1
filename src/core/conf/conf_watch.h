/* Files of the settings that change while the server runs: noticed, and taken where that can be.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_WATCH_H
#define KC_CONF_WATCH_H

#include <apr_pools.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/conf_table.h"
#include "crypto/crypto.h"

typedef enum {
    KC_CONF_WATCH_TAKEN,   /* the new content is used from now on */
    KC_CONF_WATCH_REFUSED, /* it cannot be read or used, and the former content stays in use */
    KC_CONF_WATCH_RESTART, /* it is used from the next start on, because only a start can take it */
    KC_CONF_WATCH_UNSEEN   /* this process cannot look at the file, so it will notice no change */
} kc_conf_watch_kind_t;

typedef struct kc_conf_watch_news_t {
    kc_conf_watch_kind_t kind;
    kc_conf_index_t index; /* the directive that names the file */
    const char *path;
    const char *detail; /* why it is refused or not seen; without secrets; else "" */
    int is_first;       /* found by the first look: another process may have told it before */
    unsigned char id[KC_CRYPTO_SHA256_SIZE]; /* the same in all processes that find it */
} kc_conf_watch_news_t;

/* The files of one server, and the settings with their present content. */
typedef struct kc_conf_watch_t kc_conf_watch_t;

/* For each process: conf has its files' content (kc_conf_load) and must outlive pool. KC_FAULT: no
 * memory. */
kc_rc_t kc_conf_watch_create(const kc_conf_t *conf, apr_pool_t *pool, kc_conf_watch_t **out,
                             kc_err_t *err);
/* Looks at all files. A change is taken when two looks in a row see the same, so that no half
 * written file is read; the first look takes it at once. What is taken together fits together: a
 * certificate and its key. report is called for each piece of news, before this returns. Only one
 * thread may call this at a time. */
void kc_conf_watch_look(kc_conf_watch_t *watch,
                        void (*report)(void *context, const kc_conf_watch_news_t *news),
                        void *context);
/* The settings of kc_conf_watch_create with the present content of client secret, client key and
 * certificate, and trusted certificates. They do not change, and last until pool is cleared. conf
 * when watch is NULL. Thread safe. */
const kc_conf_t *kc_conf_watch_hold(kc_conf_watch_t *watch, const kc_conf_t *conf,
                                    apr_pool_t *pool);
/* A number that grows when other content is taken. 0 when watch is NULL. Thread safe. */
uint32_t kc_conf_watch_changes(const kc_conf_watch_t *watch);
/* How many files differ from what is in use: refused, or waiting for a restart. 0 when watch is
 * NULL. Thread safe. */
uint32_t kc_conf_watch_waiting(const kc_conf_watch_t *watch);

#endif
