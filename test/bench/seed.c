/* Fills memcached with sessions as sign-ins would leave them there, and writes their cookies.
 * SPDX-License-Identifier: Apache-2.0
 *
 *   seed CONFIG COUNT COOKIES [TOKENS]
 *
 * CONFIG: httpd's own configuration, of which lines that begin with Keycloak count. COOKIES: the
 * file that gets a cookie's value on each line. TOKENS: a file whose lines are ID token, access
 * token and refresh token; without it the sessions hold none. */
#include <apr_general.h>
#include <apr_strings.h>
#include <apr_time.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "crypto/crypto.h"
#include "rp.h"
#include "session/pack.h"
#include "session/session.h"
#include "store/store_replicas.h"

enum {
    PATIENCE_MS = 10000, /* memcached stalls while its table grows */
    THREADS = 8,         /* each waits for memcached's answers most of its time */
    LINE_MAX_SIZE = 16 * 1024,
    COOKIE_LINE = KC_SESSION_ID_TEXT + 1 /* a cookie and its newline */
};

typedef struct share_t {
    pthread_t thread;
    const kc_rp_t *rp;
    kc_session_t session;
    apr_pool_t *pool;
    char *cookies; /* room for this share's lines */
    size_t first, count;
} share_t;

static void fail(const char *what, const char *detail)
{
    fprintf(stderr, "seed: %s: %s\n", what, detail);
    exit(1);
}

static void must(kc_rc_t rc, const char *what, const kc_err_t *err)
{
    if (rc != KC_OK)
        fail(what, err->detail);
}

static int64_t clock_now(void *context)
{
    (void)context;
    return apr_time_sec(apr_time_now());
}

static int64_t clock_now_ms(void *context)
{
    (void)context;
    return apr_time_as_msec(apr_time_now());
}

static kc_rc_t random_bytes(void *context, unsigned char *out, size_t len)
{
    (void)context;
    return kc_crypto_random(out, len, NULL);
}

/* --- the relying party, of httpd's own settings --- */

static void set_directive(kc_conf_t *conf, const char *line, apr_pool_t *pool)
{
    char **words;
    kc_err_t err;
    int count, i;

    if (apr_tokenize_to_argv(line, &words, pool) != APR_SUCCESS)
        fail("cannot read the line", line);
    for (count = 0; words[count];)
        count++;
    for (i = 0; i < KC_CONF_ROWS; i++) {
        if (strcmp(kc_conf_table_row((kc_conf_index_t)i)->name, words[0]) != 0)
            continue;
        must(kc_conf_set(conf, (kc_conf_index_t)i, count - 1,
                         (const char *const *)(void *)(words + 1), "seed", 1, pool, &err),
             words[0], &err);
        return;
    }
    fail("no such directive", words[0]);
}

/* Reads a line without its end; 0 at the end of the file. */
static int read_line(FILE *file, char *line)
{
    if (!fgets(line, LINE_MAX_SIZE, file))
        return 0;
    line[strcspn(line, "\r\n")] = '\0';
    return 1;
}

static FILE *open_file(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);

    if (!file)
        fail("cannot open the file", path);
    return file;
}

static kc_conf_t *read_conf(const char *path, apr_pool_t *pool)
{
    kc_conf_t *conf = kc_conf_create(pool);
    FILE *file = open_file(path, "r");
    char line[LINE_MAX_SIZE];

    while (read_line(file, line)) {
        if (strncmp(line, "Keycloak", 8) == 0)
            set_directive(conf, line, pool);
    }
    fclose(file);
    if (!conf->issuer || !conf->crypto_key || !conf->memcached)
        fail(path, "needs KeycloakIssuer, KeycloakCryptoKey and KeycloakMemcached");
    return conf;
}

static kc_rc_t open_store(const kc_conf_t *conf, apr_pool_t *pool, kc_store_t **out, kc_err_t *err)
{
    kc_store_memcached_options_t options = {
        .servers = (const char *const *)(void *)conf->memcached->elts,
        .count = (size_t)conf->memcached->nelts,
        .copies = (size_t)conf->store_replicas + 1,
        .timeout_ms = PATIENCE_MS,
        .now = clock_now,
    };

    return kc_store_replicas_create(&options, pool, out, err);
}

static kc_rp_t *make_rp(const kc_conf_t *conf, apr_pool_t *pool)
{
    kc_env_t *env = apr_pcalloc(pool, sizeof(*env));
    kc_seal_keys_t *keys;
    kc_rp_t *rp;
    kc_err_t err;

    env->now = clock_now;
    env->now_ms = clock_now_ms;
    env->random = random_bytes;
    must(open_store(conf, pool, &env->sessions, &err), "memcached", &err);
    must(kc_rp_keys_make(conf->crypto_key, pool, &keys, &err), "KeycloakCryptoKey", &err);
    must(kc_rp_create(conf, keys, pool, &rp, &err), "the relying party", &err);
    rp->env = env;
    return rp;
}

/* --- the sessions --- */

static void read_tokens(const char *path, kc_session_t *session, apr_pool_t *pool)
{
    FILE *file = open_file(path, "r");
    char line[LINE_MAX_SIZE];
    kc_pack_t contents;
    kc_err_t err;

    memset(&contents, 0, sizeof(contents));
    contents.id_token = read_line(file, line) ? apr_pstrdup(pool, line) : NULL;
    contents.access_token = read_line(file, line) ? apr_pstrdup(pool, line) : NULL;
    contents.refresh_token = read_line(file, line) ? apr_pstrdup(pool, line) : NULL;
    fclose(file);
    must(kc_pack_close(&contents, pool, &session->packed, &err), "the tokens", &err);
}

static kc_session_list_t list_of(const char *text, apr_pool_t *pool)
{
    apr_array_header_t *texts = apr_array_make(pool, 1, sizeof(const char *));

    APR_ARRAY_PUSH(texts, const char *) = text;
    return kc_session_list_make(texts, pool);
}

/* Whom the benchmark's provider signs in. */
static void describe(const kc_rp_t *rp, kc_session_t *session, apr_pool_t *pool)
{
    memset(session, 0, sizeof(*session));
    session->created = clock_now(NULL);
    session->expires = session->created + rp->conf->session_max;
    session->token_expires = session->expires;
    session->auth_time = session->created;
    session->sub = "5b0a2c1e-0000-4000-8000-000000000001";
    session->sid = "";
    session->user = session->email = "alice@example.com";
    session->acr = "1";
    session->groups = "team-a,team-b/lead";
    session->headers = kc_session_list_make(NULL, pool);
    session->group_list = list_of("team-a", pool);
    session->realm_roles = list_of("user", pool);
    session->client_roles = list_of("app:editor", pool);
}

static void *create_share(void *data)
{
    share_t *share = data;
    kc_session_t session = share->session;
    char sid[37];
    kc_err_t err;
    size_t i;

    session.sid = sid;
    for (i = 0; i < share->count; i++) {
        char *line = share->cookies + i * COOKIE_LINE;

        apr_snprintf(sid, sizeof(sid), "9d5f3c61-7f0e-4c1b-8a52-%012lx",
                     (unsigned long)(share->first + i));
        must(kc_session_create(share->rp, &session, share->pool, line, &err), "a session", &err);
        line[KC_SESSION_ID_TEXT] = '\n';
        apr_pool_clear(share->pool);
    }
    return NULL;
}

static void create_all(const kc_rp_t *rp, const kc_session_t *session, size_t count, char *cookies,
                       apr_pool_t *pool)
{
    share_t shares[THREADS];
    size_t i;

    for (i = 0; i < THREADS; i++) {
        share_t *share = &shares[i];

        share->rp = rp;
        share->session = *session;
        share->first = count * i / THREADS;
        share->count = count * (i + 1) / THREADS - share->first;
        share->cookies = cookies + share->first * COOKIE_LINE;
        apr_pool_create(&share->pool, pool);
        if (pthread_create(&share->thread, NULL, create_share, share) != 0)
            fail("cannot start", "a thread");
    }
    for (i = 0; i < THREADS; i++)
        pthread_join(shares[i].thread, NULL);
}

int main(int argc, char **argv)
{
    kc_session_t session;
    apr_pool_t *pool;
    char *cookies;
    size_t count;
    kc_rp_t *rp;
    FILE *out;

    if (argc < 4 || argc > 5 || apr_initialize() != APR_SUCCESS) {
        fprintf(stderr, "usage: seed CONFIG COUNT COOKIES [TOKENS]\n");
        return 2;
    }
    apr_pool_create(&pool, NULL);
    count = (size_t)strtoul(argv[2], NULL, 10);
    rp = make_rp(read_conf(argv[1], pool), pool);
    describe(rp, &session, pool);
    if (argc == 5)
        read_tokens(argv[4], &session, pool);
    cookies = malloc(count * COOKIE_LINE + 1);
    if (!cookies)
        fail("no memory for the cookies", argv[2]);
    create_all(rp, &session, count, cookies, pool);
    out = open_file(argv[3], "w");
    if (fwrite(cookies, COOKIE_LINE, count, out) != count || fclose(out) != 0)
        fail("cannot write", argv[3]);
    free(cookies);
    apr_terminate();
    return 0;
}
