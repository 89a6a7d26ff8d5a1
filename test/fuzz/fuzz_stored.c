/* Fuzz target: values in the store, sealed with the right key. The first byte selects a session, an
 * entry of the session index, or a user's revocation entry, which is not sealed. Whatever is read
 * is consistent.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fake_site.h"
#include "reach.h"
#include "rp.h"
#include "session/revocation.h"
#include "session/session.h"
#include "session/session_index.h"
#include "session/session_tokens.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FOUND, LISTED, ENDED };

reach_t reach[] = {{"session found", 0}, {"session listed", 0}, {"session ended", 0}, {NULL, 0}};

#define USER "alice@example.com"
#define SUB "f7f3a3c1-2f7f-4a1a-9c1e-0d7a5d1f6a10"

/* A site where one person is signed in. */
typedef struct {
    kc_fake_site_t *site;
    kc_fake_entry_t *entry; /* of the store: the session's */
    kc_fake_entry_t *slot;  /* of the list of sessions */
    kc_bytes_t id;
    char id_text[KC_SESSION_ID_TEXT + 1];
} world_t;

static void need(int is_right)
{
    if (!is_right)
        abort();
}

static kc_seal_use_t session_use(const world_t *world)
{
    const kc_seal_use_t use = {"session", world->id, {world->site->rp->id, KC_RP_ID_SIZE}};

    return use;
}

static kc_seal_use_t roster_use(const world_t *world)
{
    const kc_seal_use_t use = {"roster", kc_buf_text(USER), {world->site->rp->id, KC_RP_ID_SIZE}};

    return use;
}

static void sign_in(world_t *world, apr_pool_t *pool)
{
    kc_session_t session;
    kc_bytes_t id;
    int index;

    memset(world, 0, sizeof(*world));
    world->site = kc_fake_site_make(pool);
    memset(&session, 0, sizeof(session));
    session.created = KC_FAKE_NOW;
    session.expires = KC_FAKE_NOW + world->site->conf->session_max;
    session.token_expires = KC_FAKE_NOW + 300;
    session.sub = SUB;
    session.user = session.email = USER;
    session.sid = "sid";
    session.acr = "1";
    session.groups = "a,b";
    session.headers = session.group_list =
        kc_session_list_make(apr_array_make(pool, 1, sizeof(const char *)), pool);
    session.realm_roles = session.client_roles = session.headers;
    session.slot = 1;
    need(kc_session_create(world->site->rp, &session, pool, world->id_text, NULL) == KC_OK);
    need(kc_buf_unbase64url(world->id_text, KC_SESSION_ID_TEXT, pool, &id) == KC_OK);
    world->id = id;
    session.rp = world->site->rp;
    kc_session_index_add(world->site->rp, &session, "192.0.2.1", "agent", pool);
    world->entry = kc_fake_store_entry(&world->site->fake->sessions, session.key);
    need(world->entry != NULL);
    for (index = 0; !world->slot; index++) {
        world->slot = kc_fake_store_nth(&world->site->fake->sessions, index);
        need(world->slot != NULL);
        if (world->slot == world->entry)
            world->slot = NULL;
    }
}

/* Puts bytes in the place of what an entry has sealed. */
static void reseal(world_t *world, kc_fake_entry_t *entry, const kc_seal_use_t *use,
                   kc_bytes_t plain)
{
    static const unsigned char iv[KC_CRYPTO_IV_SIZE] = {7};
    kc_bytes_t sealed;

    if (kc_seal_close(world->site->keys, use, KC_FAKE_NOW + 3600, iv, plain, world->site->pool,
                      &sealed, NULL) != KC_OK)
        return;
    entry->data = (unsigned char *)(uintptr_t)sealed.data;
    entry->len = sealed.len;
}

static kc_session_state_t find(world_t *world)
{
    kc_err_t err = {KC_ERR_NONE, NULL, 0, ""};
    kc_session_t session;
    kc_session_state_t state = kc_session_find(world->site->rp, kc_buf_text(world->id_text),
                                               world->site->pool, &session, &err);

    need(state == KC_SESSION_LIVE || err.reason != KC_ERR_NONE);
    if (state == KC_SESSION_LIVE || state == KC_SESSION_STALE) {
        need(strlen(session.user) + strlen(session.sub) + strlen(session.sid) <= KC_SEAL_MAX);
        (void)kc_session_tokens_id_token(&session, world->site->pool);
        (void)kc_session_tokens_claims(&session, world->site->pool);
    }
    return state;
}

static void list(world_t *world)
{
    const apr_array_header_t *entries = NULL;
    int i;

    if (kc_session_index_list(world->site->rp, USER, world->site->pool, &entries, NULL, NULL) !=
        KC_OK)
        return;
    for (i = 0; i < entries->nelts; i++) {
        const kc_session_index_entry_t *entry =
            &APR_ARRAY_IDX(entries, i, kc_session_index_entry_t);

        reach_note(LISTED);
        need(strlen(entry->key) <= KC_STORE_KEY_LEN);
        need(strlen(entry->address) + strlen(entry->agent) + strlen(entry->sub) <= KC_SEAL_MAX);
    }
}

static void put_mark(world_t *world, kc_bytes_t value)
{
    unsigned char name[KC_SESSION_NAME_SIZE];
    char key[KC_STORE_KEY_LEN + 1];

    need(kc_revocation_name(world->site->rp, KC_REVOCATION_SUB, SUB, name, NULL) == KC_OK);
    kc_buf_hex_to(name, sizeof(name), key);
    need(kc_store_put(world->site->fake->env.sessions, key, value, KC_FAKE_NOW + 3600, NULL) ==
         KC_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kc_bytes_t plain = {data, size};
    kc_session_state_t state;
    kc_seal_use_t use;
    apr_pool_t *pool;
    world_t world;

    if (!size)
        return 0;
    plain.data++;
    plain.len--;
    need(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    sign_in(&world, pool);
    switch (data[0]) {
    case 's':
        use = session_use(&world);
        reseal(&world, world.entry, &use, plain);
        break;
    case 'r':
        use = roster_use(&world);
        reseal(&world, world.slot, &use, plain);
        break;
    default:
        put_mark(&world, plain);
        break;
    }
    state = find(&world);
    if (state == KC_SESSION_LIVE)
        reach_note(FOUND);
    if (state == KC_SESSION_ENDED)
        reach_note(ENDED);
    list(&world);
    apr_pool_destroy(pool);
    return 0;
}

/* What the code itself has sealed. */
static void give_opened(world_t *world, char kind, const kc_fake_entry_t *entry,
                        const kc_seal_use_t *use, const char *name)
{
    const kc_bytes_t sealed = {entry->data, entry->len};
    kc_bytes_t plain;
    char *seed;

    need(kc_seal_open(world->site->keys, use, KC_FAKE_NOW, sealed, world->site->pool, &plain, NULL,
                      NULL) == KC_OK);
    seed = apr_palloc(world->site->pool, plain.len + 1);
    seed[0] = kind;
    memcpy(seed + 1, plain.data, plain.len);
    reach_seed(name, seed, plain.len + 1);
}

static void give_seeds(void)
{
    static const char later[] = "m\x7f\xff\xff\xff\xff\xff\xff\xff";
    kc_seal_use_t use;
    apr_pool_t *pool;
    world_t world;

    need(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    sign_in(&world, pool);
    use = session_use(&world);
    give_opened(&world, 's', world.entry, &use, "session");
    use = roster_use(&world);
    give_opened(&world, 'r', world.slot, &use, "roster");
    reach_seed("mark", later, sizeof(later) - 1);
    apr_pool_destroy(pool);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    need(apr_initialize() == APR_SUCCESS);
    give_seeds();
    return 0;
}
