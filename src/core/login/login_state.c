/* The state of a sign-in: made, sealed into its cookie, found again, used.
 * SPDX-License-Identifier: Apache-2.0 */
#include "login/login_state.h"

#include <apr_strings.h>
#include <string.h>

#include "base/cookie.h"
#include "base/url.h"
#include "browser.h"
#include "rp.h"
#include "session/pack.h"

/* A state's 32 bytes: when it was made (4), round and kind (1), seconds since the first round (1),
 * random (26). The first 12 bytes name its cookie, so 20 random bytes are known only to Keycloak.
 * The parameter is their base64url. When the return URL is short and not just "/", a dot and the
 * sealed return URL follow. So a tab whose cookie was replaced still finds its page. */
enum { ROUND_AT = 4, DELTA_AT = 5, RANDOM_AT = 6, CARRIED_SECONDS = 86400 };
/* in the byte at ROUND_AT, with the number of sign-ins finished before */
enum { ROUND_MASK = 0x07, FINISHED_SHIFT = 3, STEP_UP = 0x40, SILENT = 0x80 };

/* Precedes a deflated return URL in the cookie; a plain one begins with a letter or slash. */
static const unsigned char deflated_sign = 1;

/* 2: with a step-up requirement */
static const char cookie_purpose[] = "login-2";
static const char carried_purpose[] = "login-return";
static const char spent_purpose[] = "login-spent";

static int64_t now(const kc_rp_t *rp)
{
    return rp->env->now(rp->env->context);
}

static int64_t issued_at(const unsigned char *raw)
{
    return (int64_t)raw[0] << 24 | (int64_t)raw[1] << 16 | (int64_t)raw[2] << 8 | raw[3];
}

static kc_rc_t seal(const kc_rp_t *rp, const char *purpose, const unsigned char *raw,
                    int64_t expires_at, kc_bytes_t plain, apr_pool_t *pool, const char **out,
                    kc_err_t *err)
{
    kc_seal_use_t use = {purpose, {raw, KC_LOGIN_STATE_SIZE}, {rp->id, KC_RP_ID_SIZE}};
    unsigned char iv[KC_CRYPTO_IV_SIZE];
    kc_bytes_t sealed;
    kc_rc_t rc;

    if (rp->env->random(rp->env->context, iv, sizeof(iv)) != KC_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CRYPTO, "no random bytes for a sign-in");
    rc = kc_seal_close(rp->keys, &use, expires_at, iv, plain, pool, &sealed, err);
    if (rc == KC_OK)
        *out = kc_buf_base64url(sealed, pool);
    return rc;
}

static kc_rc_t unseal(const kc_rp_t *rp, const char *purpose, const unsigned char *raw,
                      kc_bytes_t text, apr_pool_t *pool, kc_bytes_t *plain, kc_err_t *err)
{
    kc_seal_use_t use = {purpose, {raw, KC_LOGIN_STATE_SIZE}, {rp->id, KC_RP_ID_SIZE}};
    kc_bytes_t sealed;

    if (kc_buf_unbase64url((const char *)text.data, text.len, pool, &sealed) != KC_OK)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_SEAL, "a sealed value is not base64url");
    return kc_seal_open(rp->keys, &use, now(rp), sealed, pool, plain, NULL, err);
}

/* --- making --- */

static void stamp(const kc_rp_t *rp, const kc_login_request_t *request, unsigned char *raw)
{
    const kc_login_round_t *round = &request->round;
    unsigned int number = round->number > ROUND_MASK ? ROUND_MASK : round->number;
    unsigned int finished =
        request->finished > KC_LOGIN_STEPS_MAX ? KC_LOGIN_STEPS_MAX : request->finished;
    int64_t issued = now(rp);
    int64_t delta = round->since ? issued - round->since : 0;

    raw[0] = (unsigned char)(issued >> 24);
    raw[1] = (unsigned char)(issued >> 16);
    raw[2] = (unsigned char)(issued >> 8);
    raw[3] = (unsigned char)issued;
    raw[ROUND_AT] =
        (unsigned char)(number | finished << FINISHED_SHIFT | (request->is_step_up ? STEP_UP : 0U) |
                        (request->is_silent ? SILENT : 0U));
    raw[DELTA_AT] = (unsigned char)(delta < 0 || delta > 255 ? 255 : delta);
}

static int is_carried(const char *return_url)
{
    return strcmp(return_url, "/") != 0 && strlen(return_url) <= KC_LOGIN_CARRIED_MAX;
}

static kc_rc_t make_text(const kc_rp_t *rp, kc_login_state_t *state, apr_pool_t *pool,
                         kc_err_t *err)
{
    kc_bytes_t raw = {state->raw, sizeof(state->raw)};
    const char *sealed;
    kc_rc_t rc;

    state->text = kc_buf_base64url(raw, pool);
    if (!is_carried(state->return_url))
        return KC_OK;
    rc = seal(rp, carried_purpose, state->raw, now(rp) + CARRIED_SECONDS,
              kc_buf_text(state->return_url), pool, &sealed, err);
    if (rc == KC_OK)
        state->text = apr_pstrcat(pool, state->text, ".", sealed, NULL);
    return rc;
}

static void read_kind(kc_login_state_t *state)
{
    state->is_silent = (state->raw[ROUND_AT] & SILENT) != 0;
    state->is_step_up = (state->raw[ROUND_AT] & STEP_UP) != 0;
    state->finished = state->raw[ROUND_AT] >> FINISHED_SHIFT & 0x07U;
}

/* Writes what the cookie of a state has besides the return URL. */
static void put_secrets(const kc_login_state_t *state, kc_buf_t *buf)
{
    kc_buf_put_text(buf, state->nonce);
    kc_buf_put_text(buf, state->verifier);
    kc_step_up_put(&state->step_up, buf);
}

/* How many bytes of a return URL fit into its cookie. */
static size_t room_for_return(const kc_rp_t *rp, const kc_browser_t *client,
                              const kc_login_state_t *state, apr_pool_t *pool)
{
    size_t name = strlen(rp->names[client->is_https].login) + KC_LOGIN_TAG_LEN + 1;
    size_t room = (KC_LOGIN_COOKIE_MAX - name) / 4 * 3, taken;
    kc_buf_t buf;

    kc_buf_init(&buf, KC_LOGIN_COOKIES_MAX, pool);
    put_secrets(state, &buf);
    taken = buf.len + KC_SEAL_OVERHEAD;
    return taken < room ? room - taken : 0;
}

static kc_bytes_t deflated(const char *text, apr_pool_t *pool)
{
    const kc_pack_t contents = {.claims = kc_buf_text(text)};
    kc_bytes_t packed, none = {NULL, 0};
    kc_buf_t buf;

    if (kc_pack_close(&contents, pool, &packed, NULL) != KC_OK)
        return none;
    kc_buf_init(&buf, KC_URL_MAX + KC_LOGIN_COOKIE_MAX, pool);
    kc_buf_put(&buf, &deflated_sign, 1);
    kc_buf_put(&buf, packed.data, packed.len);
    return kc_buf_bytes(&buf, &packed) == KC_OK ? packed : none;
}

static void keep_return(const kc_rp_t *rp, const kc_browser_t *client, apr_pool_t *pool,
                        kc_login_state_t *state)
{
    size_t room = room_for_return(rp, client, state, pool);

    memset(&state->kept, 0, sizeof(state->kept));
    if (is_carried(state->return_url))
        return;
    state->kept = kc_buf_text(state->return_url);
    if (state->kept.len > room)
        state->kept = deflated(state->return_url, pool);
    if (state->kept.len <= room && state->kept.data)
        return;
    state->return_url = "/";
    state->kept = kc_buf_text(state->return_url);
}

kc_rc_t kc_login_state_make(const kc_rp_t *rp, const kc_browser_t *client,
                            const kc_login_request_t *request, apr_pool_t *pool,
                            kc_login_state_t *out, kc_err_t *err)
{
    unsigned char nonce[KC_LOGIN_NONCE_SIZE], verifier[KC_LOGIN_VERIFIER_SIZE];
    const kc_env_t *env = rp->env;

    if (env->random(env->context, out->raw + RANDOM_AT, sizeof(out->raw) - RANDOM_AT) != KC_OK ||
        env->random(env->context, nonce, sizeof(nonce)) != KC_OK ||
        env->random(env->context, verifier, sizeof(verifier)) != KC_OK)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CRYPTO, "no random bytes for a sign-in");
    stamp(rp, request, out->raw);
    read_kind(out);
    out->step_up = request->step_up;
    kc_buf_base64url_to(nonce, sizeof(nonce), out->nonce);
    kc_buf_base64url_to(verifier, sizeof(verifier), out->verifier);
    kc_crypto_cleanse(verifier, sizeof(verifier));
    out->return_url = request->return_url;
    keep_return(rp, client, pool, out);
    return make_text(rp, out, pool, err);
}

/* --- its cookie --- */

static const char *cookie_name(const kc_rp_t *rp, const kc_browser_t *client, const char *text,
                               apr_pool_t *pool)
{
    return apr_pstrcat(pool, rp->names[client->is_https].login,
                       kc_buf_copy(text, KC_LOGIN_TAG_LEN, pool), NULL);
}

static const char *format(const kc_browser_t *client, const char *name, const char *value,
                          int64_t max_age, apr_pool_t *pool)
{
    kc_cookie_set_t cookie = {name, value, NULL, NULL, "Lax", (long)max_age, client->is_https};

    return kc_cookie_format(&cookie, pool);
}

/* A login cookie that the browser already has. */
typedef struct rival_t {
    const char *name;
    size_t size;
    int64_t issued; /* 0 when it is not ours or expired: the first to be deleted */
} rival_t;

static int64_t rival_age(const kc_rp_t *rp, const char *tag, apr_pool_t *pool)
{
    kc_bytes_t raw;
    int64_t issued;

    if (strlen(tag) != KC_LOGIN_TAG_LEN ||
        kc_buf_unbase64url(tag, KC_LOGIN_TAG_LEN, pool, &raw) != KC_OK)
        return 0;
    issued = issued_at(raw.data);
    return issued + rp->conf->login_timeout > now(rp) ? issued : 0;
}

static size_t find_rivals(const kc_rp_t *rp, const kc_browser_t *client, apr_pool_t *pool,
                          rival_t *rivals)
{
    const char *prefix = rp->names[client->is_https].login;
    kc_cookie_item_t items[KC_COOKIE_LIST_MAX];
    size_t i, count = kc_cookie_list(client->cookies, prefix, items, KC_COOKIE_LIST_MAX);

    if (count > KC_COOKIE_LIST_MAX)
        count = KC_COOKIE_LIST_MAX;
    for (i = 0; i < count; i++) {
        rivals[i].name = kc_buf_copy(items[i].name.data, items[i].name.len, pool);
        rivals[i].size = items[i].name.len + 1 + items[i].value.len;
        rivals[i].issued = rival_age(rp, rivals[i].name + strlen(prefix), pool);
    }
    return count;
}

static size_t oldest(const rival_t *rivals, size_t count)
{
    size_t i, best = 0;

    for (i = 1; i < count; i++) {
        if (rivals[i].issued < rivals[best].issued)
            best = i;
    }
    return best;
}

static void make_room(const kc_rp_t *rp, const kc_browser_t *client, size_t size, apr_pool_t *pool,
                      apr_array_header_t *cookies)
{
    rival_t rivals[KC_COOKIE_LIST_MAX];
    size_t i, count = find_rivals(rp, client, pool, rivals);

    for (i = 0; i < count; i++)
        size += rivals[i].size;
    while (count > 0) {
        size_t victim = oldest(rivals, count);

        if (rivals[victim].issued && count < KC_LOGIN_AT_ONCE_MAX && size <= KC_LOGIN_COOKIES_MAX)
            return;
        APR_ARRAY_PUSH(cookies, const char *) = format(client, rivals[victim].name, "", 0, pool);
        size -= rivals[victim].size;
        rivals[victim] = rivals[--count];
    }
}

/* Deleting cookies for a new one leaves KC_LOGIN_AT_ONCE_MAX - 1 others. With long return URLs it
 * leaves fewer, so their size is checked as well. */
int kc_login_state_is_crowded(const kc_rp_t *rp, const kc_browser_t *client, apr_pool_t *pool)
{
    rival_t rivals[KC_COOKIE_LIST_MAX];
    size_t i, count = find_rivals(rp, client, pool, rivals), young = 0, size = 0;

    for (i = 0; i < count; i++) {
        if (rivals[i].issued + KC_LOGIN_ROUNDS_SECONDS <= now(rp))
            continue;
        young++;
        size += rivals[i].size;
    }
    return young >= KC_LOGIN_AT_ONCE_MAX - 1 || size > KC_LOGIN_COOKIES_MAX / 4;
}

kc_rc_t kc_login_state_keep(const kc_rp_t *rp, const kc_browser_t *client,
                            const kc_login_state_t *state, apr_pool_t *pool,
                            apr_array_header_t *cookies, kc_err_t *err)
{
    const char *name = cookie_name(rp, client, state->text, pool), *value;
    kc_bytes_t plain;
    kc_buf_t buf;
    kc_rc_t rc;

    kc_buf_init(&buf, KC_LOGIN_COOKIES_MAX, pool);
    put_secrets(state, &buf);
    kc_buf_put(&buf, state->kept.data, state->kept.len);
    rc = kc_buf_bytes(&buf, &plain);
    if (rc == KC_OK)
        rc = seal(rp, cookie_purpose, state->raw, now(rp) + rp->conf->login_timeout, plain, pool,
                  &value, err);
    if (rc != KC_OK)
        return rc;
    make_room(rp, client, strlen(name) + 1 + strlen(value), pool, cookies);
    APR_ARRAY_PUSH(cookies, const char *) =
        format(client, name, value, rp->conf->login_timeout, pool);
    return KC_OK;
}

/* --- finding it again --- */

/* Splits the parameter: the state's bytes, and the sealed return URL after the dot (maybe
 * nothing). */
static kc_rc_t split(const char *text, apr_pool_t *pool, unsigned char *raw, kc_bytes_t *carried,
                     kc_err_t *err)
{
    size_t len = strlen(text);
    kc_bytes_t bytes;

    if (len < KC_LOGIN_STATE_TEXT ||
        (text[KC_LOGIN_STATE_TEXT] && text[KC_LOGIN_STATE_TEXT] != '.') ||
        kc_buf_unbase64url(text, KC_LOGIN_STATE_TEXT, pool, &bytes) != KC_OK)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_CALLBACK, "the answer's state is malformed");
    memcpy(raw, bytes.data, KC_LOGIN_STATE_SIZE);
    *carried = kc_buf_text(len > KC_LOGIN_STATE_TEXT ? text + KC_LOGIN_STATE_TEXT + 1 : "");
    return KC_OK;
}

static const char *open_carried(const kc_rp_t *rp, const unsigned char *raw, kc_bytes_t carried,
                                apr_pool_t *pool)
{
    kc_bytes_t plain = {NULL, 0};
    const char *url = NULL;

    if (carried.len && unseal(rp, carried_purpose, raw, carried, pool, &plain, NULL) == KC_OK)
        url = kc_buf_dup_text(plain, pool);
    return url ? url : "/";
}

static void read_text(kc_reader_t *reader, char *out, size_t size)
{
    kc_bytes_t bytes = kc_buf_read(reader, size - 1);

    out[0] = '\0';
    if (bytes.len)
        memcpy(out, bytes.data, bytes.len);
    out[bytes.len] = '\0';
}

static const char *read_return(kc_bytes_t kept, apr_pool_t *pool)
{
    kc_pack_t contents;

    if (kept.data[0] != deflated_sign)
        return kc_buf_dup_text(kept, pool);
    kept.data++;
    kept.len--;
    if (kc_pack_open(kept, pool, &contents, NULL) != KC_OK || !contents.claims.len)
        return "/";
    return kc_buf_dup_text(contents.claims, pool);
}

/* One reason for every fault of a cookie. Only the log says when it was sealed with the key of
 * another server. */
static kc_rc_t refuse_cookie(const kc_rp_t *rp, kc_bytes_t text, apr_pool_t *pool, kc_err_t *err)
{
    kc_bytes_t sealed;

    if (kc_buf_unbase64url((const char *)text.data, text.len, pool, &sealed) == KC_OK &&
        kc_seal_is_foreign(rp->keys, sealed))
        kc_rp_warn_of_key(rp, "a sign-in's cookie");
    return KC_FAIL(err, KC_MISS, KC_ERR_STATE_UNKNOWN, "the sign-in's cookie does not open");
}

/* nonce, verifier, step-up requirement, and the return URL when the state does not carry it */
static kc_rc_t read_plain(kc_bytes_t plain, apr_pool_t *pool, kc_login_state_t *out, kc_err_t *err)
{
    kc_reader_t reader;

    kc_buf_reader_init(&reader, plain);
    read_text(&reader, out->nonce, sizeof(out->nonce));
    read_text(&reader, out->verifier, sizeof(out->verifier));
    out->step_up = kc_step_up_read(&reader, pool);
    if (reader.is_short)
        return KC_FAIL(err, KC_MISS, KC_ERR_STATE_UNKNOWN, "the sign-in's cookie is too short");
    if (reader.rest.len)
        out->return_url = read_return(reader.rest, pool);
    return KC_OK;
}

kc_rc_t kc_login_state_find(const kc_rp_t *rp, const kc_browser_t *client, const char *text,
                            apr_pool_t *pool, kc_login_state_t *out, apr_array_header_t *cookies,
                            kc_err_t *err)
{
    kc_bytes_t carried, value, plain;
    const char *name;
    kc_rc_t rc = split(text, pool, out->raw, &carried, err);

    if (rc != KC_OK)
        return rc;
    if (issued_at(out->raw) + rp->conf->login_timeout <= now(rp))
        return KC_FAIL(err, KC_MISS, KC_ERR_STATE_EXPIRED,
                       "the sign-in took longer than KeycloakLoginTimeout");
    name = cookie_name(rp, client, text, pool);
    if (kc_cookie_find(client->cookies, name, strlen(name), &value) != KC_OK)
        return KC_FAIL(err, KC_MISS, KC_ERR_STATE_UNKNOWN, "the sign-in has no cookie");
    APR_ARRAY_PUSH(cookies, const char *) = format(client, name, "", 0, pool);
    rc = unseal(rp, cookie_purpose, out->raw, value, pool, &plain, err);
    if (rc == KC_REFUSED || rc == KC_MISS)
        return refuse_cookie(rp, value, pool, err);
    if (rc != KC_OK)
        return rc;
    out->text = text;
    read_kind(out);
    out->return_url = open_carried(rp, out->raw, carried, pool);
    return read_plain(plain, pool, out, err);
}

static kc_rc_t spent_key(const kc_rp_t *rp, const kc_login_state_t *state, char *key, kc_err_t *err)
{
    kc_bytes_t raw = {state->raw, sizeof(state->raw)};

    return kc_rp_store_key(rp, rp->keys->key[0], spent_purpose, raw, key, err);
}

/* Any client can cause these writes. In memcached their size keeps them apart from revocation
 * entries, so they do not evict those; shared memory keeps them apart by kind. */
static kc_rc_t write_spent(const kc_rp_t *rp, const char *key, int64_t seconds, int is_add,
                           kc_err_t *err)
{
    static const unsigned char sign[KC_LOGIN_STATE_MARKER] = "1";
    const kc_store_write_t write = {
        key, {sign, sizeof(sign)}, now(rp) + seconds, KC_STORE_OPEN, is_add};

    return kc_store_write(rp->env->sessions, &write, err);
}

/* As long as the sign-in may take: four requests to Keycloak (code, keys, userinfo, and one to
 * spare). */
static int64_t trial_seconds(const kc_rp_t *rp)
{
    int64_t seconds = 4 * rp->conf->http_timeout / 1000 + rp->conf->clock_skew + 1;

    return seconds < rp->conf->login_timeout ? seconds : rp->conf->login_timeout;
}

void kc_login_state_give_back(const kc_rp_t *rp, const kc_login_state_t *state)
{
    char key[KC_STORE_KEY_LEN + 1];

    if (spent_key(rp, state, key, NULL) == KC_OK)
        (void)kc_store_drop(rp->env->sessions, key, NULL);
}

int64_t kc_login_state_begun(const kc_login_state_t *state)
{
    return issued_at(state->raw);
}

kc_rc_t kc_login_state_spend(const kc_rp_t *rp, const kc_login_state_t *state, kc_err_t *err)
{
    char key[KC_STORE_KEY_LEN + 1];
    kc_rc_t rc = spent_key(rp, state, key, err);

    if (rc == KC_OK)
        rc = write_spent(rp, key, trial_seconds(rp), 1, err);
    if (rc == KC_EXISTS)
        return KC_FAIL(err, KC_MISS, KC_ERR_STATE_SPENT, "the sign-in was used already");
    return rc;
}

void kc_login_state_settle(const kc_rp_t *rp, const kc_login_state_t *state)
{
    int64_t seconds = rp->conf->login_timeout;
    char key[KC_STORE_KEY_LEN + 1];

    if (spent_key(rp, state, key, NULL) == KC_OK &&
        kc_store_touch(rp->env->sessions, key, now(rp) + seconds, NULL) == KC_MISS)
        (void)write_spent(rp, key, seconds, 0, NULL);
}

kc_rc_t kc_login_state_again(const kc_rp_t *rp, const char *text, apr_pool_t *pool,
                             kc_login_request_t *out, kc_err_t *err)
{
    unsigned char raw[KC_LOGIN_STATE_SIZE];
    kc_bytes_t carried;
    unsigned int round;
    int64_t since;
    kc_rc_t rc;

    memset(out, 0, sizeof(*out));
    out->return_url = "/";
    rc = split(text, pool, raw, &carried, err);
    if (rc != KC_OK)
        return rc;
    out->return_url = open_carried(rp, raw, carried, pool);
    out->is_silent = (raw[ROUND_AT] & SILENT) != 0;
    out->is_step_up = (raw[ROUND_AT] & STEP_UP) != 0;
    out->begun = issued_at(raw);
    out->round.number = 1;
    out->round.since = now(rp);
    since = out->begun - raw[DELTA_AT];
    if (now(rp) - since >= KC_LOGIN_ROUNDS_SECONDS || since > now(rp))
        return KC_OK;
    round = raw[ROUND_AT] & ROUND_MASK;
    if (round >= KC_LOGIN_ROUNDS_MAX)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_LOGIN_LOOP, "%d sign-ins were begun in a minute",
                       KC_LOGIN_ROUNDS_MAX + 1);
    out->round.number = round + 1U;
    out->round.since = since;
    return KC_OK;
}
