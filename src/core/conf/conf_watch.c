/* Files of the settings that change while the server runs: noticed, and taken where that can be.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_watch.h"

#include <apr_atomic.h>
#include <apr_strings.h>
#include <pthread.h>
#include <string.h>

#include "base/buf.h"
#include "conf/conf_check.h"
#include "conf/conf_secret.h"

/* A watched file. */
typedef struct {
    kc_conf_index_t index;
    kc_conf_file_t file;            /* what is in use; its text only where a restart is needed */
    kc_conf_stamp_t seen;           /* by the last look; all zeros: it could not be looked at */
    kc_conf_stamp_t judged;         /* the last state that was told and not taken */
    kc_conf_watch_kind_t judgement; /* KC_CONF_WATCH_TAKEN: none */
} item_t;

/* The settings with one content of all files. Never changed; freed by its last user. */
typedef struct {
    kc_conf_t conf;
    kc_conf_file_t read[KC_CONF_ROWS]; /* what is not of the start: texts in pool, or NULL */
    apr_pool_t *pool;                  /* NULL: all is of the start */
    apr_uint32_t references;
} holder_t;

struct kc_conf_watch_t {
    item_t *items;
    int count;
    int has_looked;
    apr_uint32_t changes;
    apr_uint32_t waiting;
    pthread_mutex_t lock; /* of current */
    holder_t *current;
    apr_pool_t *scratch; /* of one look */
};

/* A look in progress. */
typedef struct {
    kc_conf_watch_t *watch;
    void (*report)(void *context, const kc_conf_watch_news_t *news);
    void *context;
} look_t;

/* ---------------------------------------------------------------- which files */

static const kc_conf_file_t *member_of(const kc_conf_t *conf, kc_conf_index_t index)
{
    return (const kc_conf_file_t *)(const void *)((const char *)conf +
                                                  kc_conf_table_row(index)->offset);
}

/* Sessions are sealed with keys that all nodes must have, and connections to memcached have been
 * made with its password: only a start takes those. */
static int can_be_taken(kc_conf_index_t index)
{
    return kc_conf_table_row(index)->is_live;
}

static void add_item(apr_array_header_t *items, kc_conf_index_t index, const kc_conf_file_t *file)
{
    item_t *item;

    if (!file || !file->path)
        return;
    item = apr_array_push(items);
    memset(item, 0, sizeof(*item));
    item->index = index;
    item->file = *file;
    item->seen = file->stamp;
}

static void find_items(const kc_conf_t *conf, kc_conf_index_t index, apr_array_header_t *items)
{
    const kc_conf_row_t *row = kc_conf_table_row(index);
    const apr_array_header_t *keys;

    if (row->type == KC_CONF_FILE) {
        add_item(items, index, kc_conf_table_file(conf, row));
    } else if (row->type == KC_CONF_SECRET) {
        add_item(items, index, member_of(conf, index));
    } else if (row->type == KC_CONF_KEYFILES) {
        keys = *(const apr_array_header_t *const *)(const void *)member_of(conf, index);
        for (int i = 0; keys && i < keys->nelts; i++)
            add_item(items, index, &APR_ARRAY_IDX(keys, i, kc_conf_file_t));
    }
}

/* ---------------------------------------------------------------- holders */

static apr_status_t release(void *data)
{
    holder_t *holder = data;

    if (apr_atomic_dec32(&holder->references) != 0 || !holder->pool)
        return APR_SUCCESS;
    for (int i = 0; i < KC_CONF_ROWS; i++) {
        if (holder->read[i].text)
            kc_crypto_cleanse((void *)(uintptr_t)holder->read[i].text,
                              strlen(holder->read[i].text));
    }
    apr_pool_destroy(holder->pool);
    return APR_SUCCESS;
}

/* Reads path as the row's directive does. */
static kc_rc_t read_again(kc_conf_index_t index, const char *path, apr_pool_t *pool,
                          kc_conf_file_t *out, kc_err_t *err)
{
    const kc_conf_row_t *row = kc_conf_table_row(index);

    memset(out, 0, sizeof(*out));
    out->path = path;
    if (row->type == KC_CONF_FILE)
        return kc_conf_secret_contents(out, row->is_private, pool, err);
    return kc_conf_secret_read(apr_pstrcat(pool, "file:", path, NULL), 0, pool, out, err);
}

/* Reads the files that can be taken into holder, and checks them as a start does. On failure *index
 * is the directive to blame. */
static kc_rc_t fill(const kc_conf_watch_t *watch, holder_t *holder, kc_conf_index_t *index,
                    kc_err_t *err)
{
    kc_rc_t rc = KC_OK;

    for (int i = 0; rc == KC_OK && i < watch->count; i++) {
        kc_conf_file_t *file;

        *index = watch->items[i].index;
        if (!can_be_taken(*index))
            continue;
        file = (kc_conf_file_t *)(uintptr_t)member_of(&holder->conf, *index);
        rc = read_again(*index, file->path, holder->pool, &holder->read[*index], err);
        *file = holder->read[*index];
    }
    for (int i = 0; rc == KC_OK && i < watch->count; i++) {
        *index = watch->items[i].index;
        if (can_be_taken(*index))
            rc = kc_conf_check_row(&holder->conf, *index, watch->scratch, err);
    }
    return rc;
}

static kc_rc_t make_holder(const kc_conf_watch_t *watch, holder_t **out, kc_conf_index_t *index,
                           kc_err_t *err)
{
    apr_pool_t *pool;
    kc_rc_t rc;

    /* an allocator of its own, because any thread may be the last to release it */
    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "no memory for the files of the settings");
    *out = apr_pcalloc(pool, sizeof(**out));
    (*out)->conf = watch->current->conf;
    (*out)->pool = pool;
    (*out)->references = 1;
    rc = fill(watch, *out, index, err);
    if (rc != KC_OK)
        (void)release(*out);
    return rc;
}

const kc_conf_t *kc_conf_watch_hold(kc_conf_watch_t *watch, const kc_conf_t *conf, apr_pool_t *pool)
{
    holder_t *holder;

    if (!watch)
        return conf;
    (void)pthread_mutex_lock(&watch->lock);
    holder = watch->current;
    apr_atomic_inc32(&holder->references);
    (void)pthread_mutex_unlock(&watch->lock);
    apr_pool_cleanup_register(pool, holder, release, apr_pool_cleanup_null);
    return &holder->conf;
}

/* ---------------------------------------------------------------- a look */

static int is_same(const kc_conf_stamp_t *one, const kc_conf_stamp_t *other)
{
    return one->device == other->device && one->inode == other->inode && one->size == other->size &&
           one->modified == other->modified && one->changed == other->changed;
}

static void tell(const look_t *look, kc_conf_watch_kind_t kind, const item_t *item,
                 const char *detail)
{
    kc_conf_watch_news_t news = {
        kind, item->index, item->file.path, detail, !look->watch->has_looked, {0}};
    const char *name = apr_psprintf(
        look->watch->scratch, "%d %d %s %" APR_UINT64_T_FMT " %" APR_TIME_T_FMT, (int)kind,
        (int)item->index, item->file.path, (apr_uint64_t)item->seen.inode, item->seen.changed);

    (void)kc_crypto_sha256(kc_buf_text(name), news.id, NULL);
    look->report(look->context, &news);
}

static void judge(item_t *item, kc_conf_watch_kind_t judgement)
{
    item->judged = item->seen;
    item->judgement = judgement;
}

/* Its state is neither that of what is in use nor one that has been told. */
static int is_news(const item_t *item)
{
    return !is_same(&item->seen, &item->file.stamp) &&
           !(item->judgement != KC_CONF_WATCH_TAKEN && is_same(&item->seen, &item->judged));
}

/* 1 when the file is as the last look saw it. */
static int look_at(const look_t *look, item_t *item)
{
    const kc_conf_stamp_t before = item->seen;
    kc_err_t why = {0};

    if (kc_conf_secret_stamp(item->file.path, look->watch->scratch, &item->seen, &why) != KC_OK) {
        memset(&item->seen, 0, sizeof(item->seen));
        if (!look->watch->has_looked) {
            judge(item, KC_CONF_WATCH_UNSEEN);
            tell(look, KC_CONF_WATCH_UNSEEN, item, why.detail);
        }
    }
    if (is_same(&item->seen, &item->file.stamp))
        item->judgement = KC_CONF_WATCH_TAKEN;
    return is_same(&item->seen, &before);
}

/* A file that only a restart takes. What cannot be read is taken for changed. */
static void compare(const look_t *look, item_t *item)
{
    kc_conf_file_t file;
    kc_rc_t rc = read_again(item->index, item->file.path, look->watch->scratch, &file, NULL);

    if (rc == KC_OK && strcmp(file.text, item->file.text) == 0) {
        item->file.stamp = file.stamp;
        item->judgement = KC_CONF_WATCH_TAKEN;
    } else {
        judge(item, KC_CONF_WATCH_RESTART);
        tell(look, KC_CONF_WATCH_RESTART, item, "");
    }
    if (rc == KC_OK)
        kc_crypto_cleanse((void *)(uintptr_t)file.text, strlen(file.text));
}

/* 1 when each file was read as this look saw it: nobody has written in between. */
static int is_as_seen(const kc_conf_watch_t *watch, const holder_t *next)
{
    int is_equal = 1;

    for (int i = 0; i < watch->count; i++) {
        const item_t *item = &watch->items[i];

        if (can_be_taken(item->index))
            is_equal &= is_same(&member_of(&next->conf, item->index)->stamp, &item->seen);
    }
    return is_equal;
}

/* How many texts differ from those in use. The files' stamps are noted in any case. */
static int count_changes(const look_t *look, const holder_t *next)
{
    const kc_conf_watch_t *watch = look->watch;
    int changes = 0;

    for (int i = 0; i < watch->count; i++) {
        item_t *item = &watch->items[i];
        const kc_conf_file_t *file = member_of(&next->conf, item->index);

        if (!can_be_taken(item->index))
            continue;
        item->file.stamp = file->stamp;
        item->judgement = KC_CONF_WATCH_TAKEN;
        if (strcmp(file->text, member_of(&watch->current->conf, item->index)->text) == 0)
            continue;
        changes++;
        tell(look, KC_CONF_WATCH_TAKEN, item, "");
    }
    return changes;
}

static void refuse(const look_t *look, kc_conf_index_t index, const kc_err_t *why)
{
    for (int i = 0; i < look->watch->count; i++) {
        item_t *item = &look->watch->items[i];

        if (item->index == index)
            tell(look, KC_CONF_WATCH_REFUSED, item, why->detail);
        if (can_be_taken(item->index) && is_news(item))
            judge(item, KC_CONF_WATCH_REFUSED);
    }
}

static void take(const look_t *look)
{
    kc_conf_watch_t *watch = look->watch;
    kc_conf_index_t index = KC_CONF_ROW_client_secret;
    holder_t *next = NULL, *former;
    kc_err_t why = {0};

    if (make_holder(watch, &next, &index, &why) != KC_OK) {
        refuse(look, index, &why);
        return;
    }
    former = next;
    if (is_as_seen(watch, next) && count_changes(look, next)) {
        (void)pthread_mutex_lock(&watch->lock);
        former = watch->current;
        watch->current = next;
        (void)pthread_mutex_unlock(&watch->lock);
        apr_atomic_inc32(&watch->changes);
    }
    (void)release(former);
}

static void count_waiting(kc_conf_watch_t *watch)
{
    apr_uint32_t waiting = 0;

    for (int i = 0; i < watch->count; i++) {
        const kc_conf_watch_kind_t judgement = watch->items[i].judgement;

        waiting += judgement == KC_CONF_WATCH_REFUSED || judgement == KC_CONF_WATCH_RESTART;
    }
    apr_atomic_set32(&watch->waiting, waiting);
}

void kc_conf_watch_look(kc_conf_watch_t *watch,
                        void (*report)(void *context, const kc_conf_watch_news_t *news),
                        void *context)
{
    const look_t look = {watch, report, context};
    int is_settled = 1, can_take = 0;

    apr_pool_clear(watch->scratch);
    for (int i = 0; i < watch->count; i++)
        is_settled &= look_at(&look, &watch->items[i]);
    for (int i = 0; (is_settled || !watch->has_looked) && i < watch->count; i++) {
        item_t *item = &watch->items[i];

        if (!is_news(item))
            continue;
        if (can_be_taken(item->index))
            can_take = 1;
        else
            compare(&look, item);
    }
    if (can_take)
        take(&look);
    count_waiting(watch);
    watch->has_looked = 1;
}

uint32_t kc_conf_watch_changes(const kc_conf_watch_t *watch)
{
    return watch ? apr_atomic_read32((apr_uint32_t *)(uintptr_t)&watch->changes) : 0;
}

uint32_t kc_conf_watch_waiting(const kc_conf_watch_t *watch)
{
    return watch ? apr_atomic_read32((apr_uint32_t *)(uintptr_t)&watch->waiting) : 0;
}

/* ---------------------------------------------------------------- life */

static apr_status_t close_watch(void *data)
{
    kc_conf_watch_t *watch = data;

    (void)release(watch->current);
    (void)pthread_mutex_destroy(&watch->lock);
    apr_pool_destroy(watch->scratch);
    return APR_SUCCESS;
}

kc_rc_t kc_conf_watch_create(const kc_conf_t *conf, apr_pool_t *pool, kc_conf_watch_t **out,
                             kc_err_t *err)
{
    kc_conf_watch_t *watch = apr_pcalloc(pool, sizeof(*watch));
    apr_array_header_t *items = apr_array_make(pool, 4, sizeof(item_t));

    if (apr_pool_create_unmanaged_ex(&watch->scratch, NULL, NULL) != APR_SUCCESS ||
        pthread_mutex_init(&watch->lock, NULL) != 0)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "no memory for the files of the settings");
    for (int i = 0; i < KC_CONF_ROWS; i++)
        find_items(conf, (kc_conf_index_t)i, items);
    watch->items = (item_t *)(void *)items->elts;
    watch->count = items->nelts;
    watch->current = apr_pcalloc(pool, sizeof(*watch->current));
    watch->current->conf = *conf;
    watch->current->references = 1;
    apr_pool_cleanup_register(pool, watch, close_watch, apr_pool_cleanup_null);
    *out = watch;
    return KC_OK;
}
