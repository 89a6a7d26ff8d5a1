/* Tests of conf.h: every directive by default, set, merged and restored; every line that is
 * refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>

#include "conf/conf.h"
#include "conf/conf_check.h"
#include "conf/conf_doubt.h"
#include "conf/conf_meaning.h"
#include "conf/conf_number.h"
#include "conf/conf_parse.h"
#include "conf/transform.h"

/* Two keys of 32 and more characters, given through the environment. */
#define KEY_A "first-key-of-thirty-two-characters-or-more"
#define KEY_B "second-key-of-exactly-32-letters"
#define CANARY "canary-7c1f2a"

enum { EXEC_PATIENCE = 60 /* seconds */ };

static apr_pool_t *pool;
static char folder[512]; /* "": there is none */

/* With whatever the tests have put into it. Also at the exit of one that fails, which has no
 * teardown. */
static void remove_folder(void)
{
    DIR *dir = folder[0] ? opendir(folder) : NULL;
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    (void)rmdir(folder);
    folder[0] = '\0';
}

static void setup(void)
{
    const char *parent = getenv("TMPDIR");

    ck_assert_int_eq(apr_pool_create(&pool, NULL), APR_SUCCESS);
    apr_snprintf(folder, sizeof(folder), "%s/kc-test-conf-XXXXXX",
                 parent && *parent ? parent : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(atexit(remove_folder), 0);
    setenv("KC_TEST_KEY_A", KEY_A, 1);
    setenv("KC_TEST_KEY_B", KEY_B, 1);
}

static const char *path_of(const char *name)
{
    return apr_pstrcat(pool, folder, "/", name, NULL);
}

static void teardown(void)
{
    remove_folder();
    apr_pool_destroy(pool);
}

static const char *write_file(const char *name, mode_t mode, const char *data, size_t len)
{
    const char *path = path_of(name);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)write(fd, data, len), (int)len);
    close(fd);
    ck_assert_int_eq(chmod(path, mode), 0);
    return path;
}

static const char *write_text(const char *name, mode_t mode, const char *text)
{
    return write_file(name, mode, text, strlen(text));
}

/* ---------------------------------------------------------------- lines */

static int count_words(char *const *words)
{
    int count = 0;

    while (words[count])
        count++;
    return count;
}

static kc_rc_t set_text(void *conf, kc_conf_index_t index, const char *text, kc_err_t *err)
{
    char **words;

    ck_assert_int_eq(apr_tokenize_to_argv(text, &words, pool), APR_SUCCESS);
    return kc_conf_set(conf, index, count_words(words), (const char *const *)words, "test.conf", 7,
                       pool, err);
}

static kc_rc_t set_one(void *conf, kc_conf_index_t index, const char *argument, kc_err_t *err)
{
    return kc_conf_set(conf, index, 1, &argument, "test.conf", 7, pool, err);
}

static kc_conf_index_t index_of(const char *name, size_t len)
{
    for (int i = 0; i < KC_CONF_ROWS; i++) {
        const char *row = kc_conf_table_row((kc_conf_index_t)i)->name;

        if (strlen(row) == len && !memcmp(row, name, len))
            return (kc_conf_index_t)i;
    }
    ck_abort_msg("no directive %s", name);
    return KC_CONF_ROWS;
}

/* Settings from lines of "Directive arguments", separated by newlines. */
static kc_conf_t *conf_of(const char *lines)
{
    kc_conf_t *conf = kc_conf_create(pool);
    char *rest = apr_pstrdup(pool, lines);

    while (*rest) {
        size_t len = strcspn(rest, "\n");
        size_t name_len = strcspn(rest, " ");
        kc_err_t err = {0};

        if (rest[len])
            rest[len++] = '\0';
        ck_assert_msg(set_text(conf, index_of(rest, name_len), rest + name_len + 1, &err) == KC_OK,
                      "%s: %s", rest, err.detail);
        rest += len;
    }
    return conf;
}

/* ---------------------------------------------------------------- every directive */

/* value differs from the default, other from both; each with the form it has in a dump. A directive
 * with a default takes it as its other value. */
typedef struct {
    kc_conf_index_t row;
    const char *fallback;
    const char *value, *value_dump;
    const char *other, *other_dump;
} sample_t;

#define ALGORITHMS "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512"
#define UNSET "(not set)"
#define SAME(text) text, text

static const sample_t samples[] = {
    {KC_CONF_ROW_issuer, UNSET, SAME("https://a.example/realms/x/"), SAME("https://b.example/")},
    {KC_CONF_ROW_client_id, UNSET, SAME("app"), SAME("other")},
    {KC_CONF_ROW_client_secret, UNSET, CANARY, "(set)", "env:KC_TEST_KEY_A", "(set)"},
    {KC_CONF_ROW_client_auth, "client_secret_basic", "TLS_client_auth", "tls_client_auth",
     SAME("client_secret_basic")},
    {KC_CONF_ROW_client_auth_algorithm, "HS256", "hs512", "HS512", SAME("HS256")},
    {KC_CONF_ROW_roles_claim, "realm_access.roles", SAME("roles"), SAME("realm_access.roles")},
    {KC_CONF_ROW_client_key, UNSET, "file:/k/client.key", "/k/client.key", SAME("/k/b.key")},
    {KC_CONF_ROW_client_cert, UNSET, SAME("/k/client.pem"), "file:/k/b.pem", "/k/b.pem"},
    {KC_CONF_ROW_scope, "openid profile email", SAME("openid groups"),
     SAME("openid profile email")},
    {KC_CONF_ROW_login_parameters, "kc_idp_hint ui_locales login_hint", SAME("ui_locales"),
     SAME("kc_idp_hint ui_locales login_hint")},
    {KC_CONF_ROW_algorithms, ALGORITHMS, SAME("ES256"), SAME(ALGORITHMS)},
    {KC_CONF_ROW_clock_skew, "30s", "0", "0", "30", "30s"},
    {KC_CONF_ROW_user_info, "auto", "OFF", "off", SAME("auto")},
    {KC_CONF_ROW_prefix, "/authservice/", "/sso/v1.2", "/sso/v1.2/", SAME("/authservice/")},
    {KC_CONF_ROW_public_url, UNSET, "HTTPS://Site.Example:443/", "https://site.example",
     SAME("http://site.example:8989")},
    {KC_CONF_ROW_redirect_uri, UNSET, SAME("https://site.example/cb"),
     SAME("https://site.example/oidc/cb")},
    {KC_CONF_ROW_auth_url, UNSET, SAME("/auth/realms/x"), SAME("https://login.example/auth?a=b")},
    {KC_CONF_ROW_backchannel_url, UNSET, "http://keycloak:8080/", "http://keycloak:8080",
     SAME("https://[::1]:8443")},
    {KC_CONF_ROW_endpoint_origins, UNSET, SAME("https://a.example https://b.example"),
     SAME("https://c.example")},
    {KC_CONF_ROW_trusted_proxies, UNSET, SAME("10.0.0.0/8 ::1"), SAME("192.0.2.7")},
    {KC_CONF_ROW_judge_for, "envoy", "NGINX", "nginx", SAME("envoy")},
    {KC_CONF_ROW_allow_http, "off", "On", "on", SAME("off")},
    {KC_CONF_ROW_ca_file, UNSET, SAME("/k/ca.pem"), SAME("/k/ca2.pem")},
    {KC_CONF_ROW_http_timeout, "5s", "1500ms", "1500ms", "5", "5s"},
    {KC_CONF_ROW_metadata_ttl, "15m", "1", "1s", SAME("15m")},
    {KC_CONF_ROW_metadata_stale, "1d", "90m", "90m", "24h", "1d"},
    {KC_CONF_ROW_crypto_key, UNSET, "env:KC_TEST_KEY_A", "(set)",
     "env:KC_TEST_KEY_B env:KC_TEST_KEY_A", "(set)"},
    {KC_CONF_ROW_trace_context, "off", "On", "on", SAME("off")},
    {KC_CONF_ROW_audit_log, UNSET, SAME("logs/audit_log"), SAME("|/usr/bin/logger")},
    {KC_CONF_ROW_memcached, UNSET, SAME("mc1:11211 [::1]:11212"), SAME("mc2")},
    {KC_CONF_ROW_store_timeout, "50ms", "60s", "1m", SAME("50ms")},
    {KC_CONF_ROW_store_replicas, "2", SAME("1"), SAME("2")},
    {KC_CONF_ROW_store_grace, "1m", "0", "0", "60s", "1m"},
    {KC_CONF_ROW_memcached_user, UNSET, SAME("kubeflow"), SAME("other")},
    {KC_CONF_ROW_memcached_password, UNSET, CANARY, "(set)", "env:KC_TEST_KEY_A", "(set)"},
    {KC_CONF_ROW_cache_ttl, "1s", "0", "0", "1000ms", "1s"},
    {KC_CONF_ROW_cache_size, "64M", "1048577", "1048577", "65536K", "64M"},
    {KC_CONF_ROW_session_max, "10h", "3650d", "3650d", SAME("10h")},
    {KC_CONF_ROW_session_idle, "1h", "30m", "30m", "60m", "1h"},
    {KC_CONF_ROW_idle_ignore, UNSET, SAME("/a /b/*/c"), SAME("/d")},
    {KC_CONF_ROW_close_streams, "on", SAME("off"), SAME("on")},
    {KC_CONF_ROW_refresh, "on", SAME("off"), SAME("on")},
    {KC_CONF_ROW_stale_grace, "5m", "0", "0", "300s", "5m"},
    {KC_CONF_ROW_login_timeout, "10m", "1s", "1s", "600", "10m"},
    {KC_CONF_ROW_cookie, "keycloak_session", SAME("sid"), SAME("keycloak_session")},
    {KC_CONF_ROW_cookie_same_site, "Lax", "strict", "Strict", SAME("Lax")},
    {KC_CONF_ROW_cookie_domain, UNSET, SAME("example.com"), SAME("example.org")},
    {KC_CONF_ROW_setting_names, UNSET, SAME("KeycloakIssuer=OIDC_PROVIDER"),
     SAME("KeycloakIssuer=A KeycloakScope=B")},
    {KC_CONF_ROW_judge_paths, "plain", SAME("any"), SAME("plain")},
    {KC_CONF_ROW_cookie_persistent, "off", SAME("on"), SAME("off")},
    {KC_CONF_ROW_user_claim, "email", SAME("preferred_username"), SAME("email")},
    {KC_CONF_ROW_user_prefix, UNSET, SAME("corp:"), SAME("x-")},
    {KC_CONF_ROW_user_transforms, UNSET, SAME("lower"), "'^(.*)@.*$' '\\\\1'", "^(.*)@.*$ \\1"},
    {KC_CONF_ROW_groups_filter, UNSET, SAME("team-* order:sorted"), SAME("/a limit:5000")},
    {KC_CONF_ROW_user_header, "kubeflow-userid", SAME("X-User"), SAME("kubeflow-userid")},
    {KC_CONF_ROW_id_token_header, UNSET, SAME("Authorization"), SAME("X-Id-Token")},
    {KC_CONF_ROW_bearer, "off", "On", "on", SAME("id")},
    {KC_CONF_ROW_bearer, "off", SAME("access"), SAME("off")},
    {KC_CONF_ROW_audience, UNSET, SAME("app api"), SAME("app")},
    {KC_CONF_ROW_groups_header, "kubeflow-groups", SAME("X-Groups"), SAME("kubeflow-groups")},
    {KC_CONF_ROW_groups_claim, "groups", SAME("realm_access.roles"), SAME("groups")},
    {KC_CONF_ROW_headers, UNSET, SAME("X-Name name"), SAME("X-Mail email")},
    {KC_CONF_ROW_verified_email, "on", SAME("off"), SAME("on")},
    {KC_CONF_ROW_public_paths, UNSET, SAME("/public /favicon.ico"), SAME("/open")},
    {KC_CONF_ROW_after_logout_url, "/", SAME("/goodbye?x=1"), SAME("/")},
    {KC_CONF_ROW_return_hosts, UNSET, SAME("portal.example portal.example:8443"),
     SAME("b.example")},
    {KC_CONF_ROW_front_session, "required", "Optional", "optional", SAME("required")},
    {KC_CONF_ROW_unauth, "auto", SAME("pass"), SAME("auto")},
    {KC_CONF_ROW_require_acr, UNSET, SAME("2 gold"), SAME("none")},
    {KC_CONF_ROW_max_age, "0", "15m", "15m", "0", "0"},
};

static const sample_t *sample_of(int row)
{
    const sample_t *found = NULL;

    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        if ((int)samples[i].row == row)
            found = &samples[i];
    }
    ck_assert_msg(found != NULL, "%s has no sample here",
                  kc_conf_table_row((kc_conf_index_t)row)->name);
    return found;
}

static int is_directory(int row)
{
    return kc_conf_table_row((kc_conf_index_t)row)->is_directory;
}

static void *create(int row)
{
    return is_directory(row) ? (void *)kc_conf_dir_create(pool) : (void *)kc_conf_create(pool);
}

static const void *merge(int row, const void *base, const void *add)
{
    return is_directory(row) ? (const void *)kc_conf_dir_merge(base, add, pool)
                             : (const void *)kc_conf_merge(base, add, pool);
}

static const char *dump(int row, const void *conf)
{
    const kc_conf_row_t *info = kc_conf_table_row((kc_conf_index_t)row);

    if (!info->is_directory)
        return kc_conf_dump(conf, (kc_conf_index_t)row, pool);
    return kc_conf_parse_dump((kc_conf_index_t)row, (const char *)conf + info->offset, pool);
}

static const kc_conf_position_t *place_of(int row, const void *conf)
{
    return is_directory(row) ? &((const kc_conf_dir_t *)conf)->position[row]
                             : &((const kc_conf_t *)conf)->position[row];
}

static void *create_with(int row, const char *text)
{
    void *conf = create(row);
    kc_err_t err = {0};

    ck_assert_msg(set_text(conf, (kc_conf_index_t)row, text, &err) == KC_OK, "%s %s: %s",
                  kc_conf_table_row((kc_conf_index_t)row)->name, text, err.detail);
    return conf;
}

START_TEST(every_row_has_its_default)
{
    const sample_t *sample = sample_of(_i);
    void *conf = create(_i);

    ck_assert_str_eq(dump(_i, conf), sample->fallback);
    ck_assert_ptr_null(place_of(_i, conf)->file);
    /* The text of the default is one that the directive takes. */
    if (kc_conf_table_row(sample->row)->fallback)
        ck_assert_str_eq(dump(_i, create_with(_i, kc_conf_table_row(sample->row)->fallback)),
                         sample->fallback);
}
END_TEST

START_TEST(every_row_can_be_set)
{
    const sample_t *sample = sample_of(_i);
    const void *conf = create_with(_i, sample->value);

    ck_assert_str_eq(dump(_i, conf), sample->value_dump);
    ck_assert_str_eq(place_of(_i, conf)->file, "test.conf");
    ck_assert_int_eq(place_of(_i, conf)->line, 7);
    if (!is_directory(_i))
        ck_assert(kc_conf_table_is_set(conf, sample->row));
    for (int i = 0; i < KC_CONF_ROWS; i++) {
        if (i != _i && is_directory(i) == is_directory(_i))
            ck_assert_str_eq(dump(i, conf), sample_of(i)->fallback);
    }
}
END_TEST

START_TEST(every_row_is_inherited)
{
    const sample_t *sample = sample_of(_i);
    const void *merged = merge(_i, create_with(_i, sample->value), create(_i));

    ck_assert_str_eq(dump(_i, merged), sample->value_dump);
    ck_assert_str_eq(place_of(_i, merged)->file, "test.conf");
    merged = merge(_i, create(_i), create_with(_i, sample->value));
    ck_assert_str_eq(dump(_i, merged), sample->value_dump);
    ck_assert_ptr_nonnull(place_of(_i, merged)->file);
    merged = merge(_i, create(_i), create(_i));
    ck_assert_str_eq(dump(_i, merged), sample->fallback);
    ck_assert_ptr_null(place_of(_i, merged)->file);
}
END_TEST

START_TEST(every_row_can_be_restored_by_a_child)
{
    const sample_t *sample = sample_of(_i);
    const void *base = create_with(_i, sample->value);
    const void *merged = merge(_i, base, create_with(_i, sample->other));

    ck_assert_str_eq(dump(_i, merged), sample->other_dump);
    ck_assert_str_eq(dump(_i, base), sample->value_dump);
    if (kc_conf_table_row(sample->row)->fallback)
        ck_assert_str_eq(sample->other_dump, sample->fallback);
}
END_TEST

START_TEST(every_row_needs_arguments)
{
    kc_err_t err = {0};

    ck_assert_int_eq(
        kc_conf_set(create(_i), (kc_conf_index_t)_i, 0, NULL, "test.conf", 1, pool, &err),
        KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.detail, "arguments"));
}
END_TEST

static int is_number(const kc_conf_row_t *row)
{
    return row->type == KC_CONF_SECONDS || row->type == KC_CONF_MILLIS || row->type == KC_CONF_SIZE;
}

static void assert_within(const kc_conf_row_t *row, const kc_conf_range_t *range, const char *text)
{
    int64_t value = kc_conf_number_value(row->type, text);

    ck_assert_msg(value >= kc_conf_number_value(row->type, range->min) &&
                      value <= kc_conf_number_value(row->type, range->max),
                  "%s: %s is not between %s and %s", row->name, text, range->min, range->max);
}

/* The ends of a row's ranges are texts that the directive takes, and its default lies between. */
START_TEST(the_ranges_of_a_row_hold_its_default)
{
    const kc_conf_row_t *row = kc_conf_table_row((kc_conf_index_t)_i);
    const kc_conf_range_t *ranges[] = {&row->range, &row->usual};

    for (size_t i = 0; i < 2; i++) {
        ck_assert_msg(!ranges[i]->min == !ranges[i]->max, "%s", row->name);
        if (!ranges[i]->min)
            continue;
        ck_assert_msg(is_number(row) && row->fallback, "%s", row->name);
        (void)create_with(_i, ranges[i]->min);
        (void)create_with(_i, ranges[i]->max);
        assert_within(row, ranges[i], row->fallback);
    }
    ck_assert_msg(!row->usual.min == !row->advice, "%s", row->name);
    ck_assert_msg(!row->usual.min || !row->is_directory, "%s", row->name);
}
END_TEST

/* Rules are of use where they are heard. */
START_TEST(the_rules_of_a_row_fit_its_type_and_scope)
{
    const kc_conf_row_t *row = kc_conf_table_row((kc_conf_index_t)_i);

    if (row->is_directory) {
        ck_assert_msg(!row->check && !row->doubt && !row->needs_issuer && !row->meaning, "%s",
                      row->name);
        ck_assert_msg(row->type != KC_CONF_FILE, "%s: nobody would read it", row->name);
    }
    if (row->type != KC_CONF_FILE)
        ck_assert_msg(!row->is_needed && !row->is_private, "%s", row->name);
    if (row->type == KC_CONF_SECRET || row->type == KC_CONF_KEYFILES)
        ck_assert_msg(!row->meaning, "%s is dumped for it", row->name);
}
END_TEST

/* What stands for the settings of one row that was changed, in hex. */
static const char *meaning_with(int row)
{
    const sample_t *sample = sample_of(row);
    kc_conf_t *conf = create_with(row, sample->value);
    kc_bytes_t bytes;
    kc_buf_t buf;
    char *hex;

    kc_buf_init(&buf, 4096, pool);
    kc_conf_meaning_put(conf, KC_CONF_MEANING_LATER, pool, &buf);
    ck_assert_int_eq(kc_buf_bytes(&buf, &bytes), KC_OK);
    hex = apr_palloc(pool, 2 * bytes.len + 1);
    kc_buf_hex_to(bytes.data, bytes.len, hex);
    return hex;
}

/* Each of them changes the fingerprint, and in its own way; what has no meaning leaves it. */
START_TEST(a_row_with_a_meaning_changes_what_is_hashed)
{
    const char *one = is_directory(_i) ? NULL : meaning_with(_i);

    for (int i = 0; one && i < KC_CONF_ROWS; i++) {
        const kc_conf_row_t *row = kc_conf_table_row((kc_conf_index_t)i);
        int is_same =
            i == _i || (!row->meaning && !kc_conf_table_row((kc_conf_index_t)_i)->meaning);

        if (!row->is_directory)
            ck_assert_msg((strcmp(one, meaning_with(i)) == 0) == is_same, "%s", row->name);
    }
}
END_TEST

START_TEST(a_word_that_names_a_file_says_where_its_path_is)
{
    const kc_conf_row_t *row = kc_conf_table_row((kc_conf_index_t)_i);
    int is_file = row->type == KC_CONF_FILE;
    int is_secret = row->type == KC_CONF_SECRET || row->type == KC_CONF_KEYFILES;

    ck_assert_pstr_eq(kc_conf_path_in((kc_conf_index_t)_i, "a/b"), is_file ? "a/b" : NULL);
    ck_assert_pstr_eq(kc_conf_path_in((kc_conf_index_t)_i, "file:a/b"),
                      is_file || is_secret ? "a/b" : NULL);
}
END_TEST

START_TEST(secrets_are_not_dumped)
{
    kc_conf_t *conf = conf_of("KeycloakClientSecret " CANARY "\n"
                              "KeycloakCryptoKey env:KC_TEST_KEY_A");

    ck_assert_str_eq(conf->client_secret.text, CANARY);
    for (int i = 0; i < KC_CONF_ROWS; i++) {
        const char *text = kc_conf_dump(conf, (kc_conf_index_t)i, pool);

        ck_assert_ptr_null(strstr(text, CANARY));
        ck_assert_ptr_null(strstr(text, KEY_A));
    }
}
END_TEST

START_TEST(lists_grow_within_one_server)
{
    kc_conf_t *base = conf_of("KeycloakPublicPath /a /b\nKeycloakPublicPath /c\n"
                              "KeycloakHeader X-A a\nKeycloakHeader X-B b.c");
    kc_conf_t *add = conf_of("KeycloakPublicPath /d\nKeycloakScope openid\nKeycloakScope x");
    kc_conf_t *merged = kc_conf_merge(base, add, pool);

    ck_assert_str_eq(kc_conf_dump(base, KC_CONF_ROW_public_paths, pool), "/a /b /c");
    ck_assert_str_eq(kc_conf_dump(base, KC_CONF_ROW_headers, pool), "X-A a, X-B b.c");
    ck_assert_str_eq(kc_conf_dump(merged, KC_CONF_ROW_public_paths, pool), "/d");
    ck_assert_str_eq(kc_conf_dump(merged, KC_CONF_ROW_headers, pool), "X-A a, X-B b.c");
    /* The first line takes the place of the default, the next ones add to it. */
    ck_assert_str_eq(kc_conf_dump(merged, KC_CONF_ROW_scope, pool), "openid x");
}
END_TEST

START_TEST(a_refused_line_changes_nothing)
{
    kc_conf_t *conf = conf_of("KeycloakUserTransform lower");

    ck_assert_int_eq(set_text(conf, KC_CONF_ROW_user_transforms, "a '\\\\2'", NULL), KC_REFUSED);
    ck_assert_str_eq(kc_conf_dump(conf, KC_CONF_ROW_user_transforms, pool), "lower");
    ck_assert_int_eq(set_text(conf, KC_CONF_ROW_session_max, "x", NULL), KC_REFUSED);
    ck_assert_int_eq((int)conf->session_max, 36000);
    ck_assert(!kc_conf_table_is_set(conf, KC_CONF_ROW_session_max));
}
END_TEST

START_TEST(a_line_from_nowhere_counts_as_set)
{
    kc_conf_t *conf = kc_conf_create(pool);
    const char *argument = "x";

    ck_assert_int_eq(kc_conf_set(conf, KC_CONF_ROW_client_id, 1, &argument, NULL, 0, pool, NULL),
                     KC_OK);
    ck_assert(kc_conf_table_is_set(conf, KC_CONF_ROW_client_id));
    ck_assert_ptr_null(kc_conf_table_row(KC_CONF_ROWS));
    ck_assert_ptr_null(kc_conf_table_row((kc_conf_index_t)-1));
}
END_TEST

/* ---------------------------------------------------------------- refused by the parsers */

typedef struct {
    kc_conf_index_t row;
    const char *argument; /* one, as it is */
    const char *because;  /* part of the detail */
} refusal_t;

#define CHARACTERS_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CHARACTERS_256 CHARACTERS_64 CHARACTERS_64 CHARACTERS_64 CHARACTERS_64
#define CHARACTERS_513 CHARACTERS_256 CHARACTERS_256 "x"

static const refusal_t refusals[] = {
    {KC_CONF_ROW_client_id, "", "not empty"},
    {KC_CONF_ROW_client_secret, "/etc/keycloak/secret", "write file:"},
    {KC_CONF_ROW_client_id, "a\nb", "control"},
    {KC_CONF_ROW_client_id, "a\x7f", "control"},
    {KC_CONF_ROW_client_key, "keys/client.key", "absolute"},
    {KC_CONF_ROW_client_key, "file:client.key", "absolute"},
    {KC_CONF_ROW_client_cert, "client.pem", "absolute"},
    {KC_CONF_ROW_ca_file, "ca.pem", "absolute"},
    {KC_CONF_ROW_user_header, "", "header's name"},
    {KC_CONF_ROW_user_header, "X User", "header's name"},
    {KC_CONF_ROW_user_header, "X-User:", "header's name"},
    {KC_CONF_ROW_groups_header, "X-Gr\xc3\xbcppe", "header's name"},
    {KC_CONF_ROW_issuer, "keycloak.example.com/realms/x", "https:// or http://"},
    {KC_CONF_ROW_issuer, "ftp://keycloak.example.com/", "https:// or http://"},
    {KC_CONF_ROW_issuer, "https://user@keycloak.example.com/", "user information"},
    {KC_CONF_ROW_issuer, "https://keycloak.example.com/#a", "fragment"},
    {KC_CONF_ROW_issuer, "https://", "host"},
    {KC_CONF_ROW_public_url, "https://site.example/app", "without a path"},
    {KC_CONF_ROW_public_url, "https://site.example/?a", "without a path"},
    {KC_CONF_ROW_backchannel_url, "http://keycloak:8080/auth?x", "without a query"},
    {KC_CONF_ROW_auth_url, "//login.example/", "one slash"},
    {KC_CONF_ROW_auth_url, "/\\login.example/", "one slash"},
    {KC_CONF_ROW_auth_url, "login", "https:// or http://"},
    {KC_CONF_ROW_after_logout_url, "//evil.example", "one slash"},
    {KC_CONF_ROW_after_logout_url, "/a/../b", "one slash"},
    {KC_CONF_ROW_after_logout_url, "/a#b", "fragment"},
    {KC_CONF_ROW_after_logout_url, "javascript:alert(1)", "https:// or http://"},
    {KC_CONF_ROW_prefix, "", "/authservice/"},
    {KC_CONF_ROW_prefix, "/", "/authservice/"},
    {KC_CONF_ROW_prefix, "//", "/authservice/"},
    {KC_CONF_ROW_prefix, "auth", "/authservice/"},
    {KC_CONF_ROW_prefix, "/a//b", "/authservice/"},
    {KC_CONF_ROW_prefix, "/a/../b/", "/authservice/"},
    {KC_CONF_ROW_prefix, "/./", "/authservice/"},
    {KC_CONF_ROW_prefix, "/a b/", "/authservice/"},
    {KC_CONF_ROW_prefix, "/a%2fb/", "/authservice/"},
    {KC_CONF_ROW_prefix, "/a;b/", "/authservice/"},
    {KC_CONF_ROW_prefix, "/\xc3\xa4/", "/authservice/"},
    {KC_CONF_ROW_allow_http, "yes", "on or off"},
    {KC_CONF_ROW_verified_email, "1", "on or off"},
    {KC_CONF_ROW_refresh, "yes", "on or off"},
    {KC_CONF_ROW_stale_grace, "1d", "must lie between 0 and 1h"},
    {KC_CONF_ROW_session_max, "12 parsecs", "a duration such as"},
    {KC_CONF_ROW_session_max, "", "a duration such as"},
    {KC_CONF_ROW_session_max, "s", "a duration such as"},
    {KC_CONF_ROW_session_max, "-5", "a duration such as"},
    {KC_CONF_ROW_session_max, "1.5h", "a duration such as"},
    {KC_CONF_ROW_session_max, "500ms", "a duration such as"},
    {KC_CONF_ROW_session_max, "5M", "a duration such as"},
    {KC_CONF_ROW_session_max, "0", "must lie between 1s"},
    {KC_CONF_ROW_session_max, "3651d", "must lie between 1s"},
    {KC_CONF_ROW_session_max, "999999999999d", "must lie between"},
    {KC_CONF_ROW_session_max, "9999999999999", "a duration such as"},
    {KC_CONF_ROW_session_idle, "0", "must lie between 1s"},
    {KC_CONF_ROW_metadata_ttl, "0", "must lie between 1s"},
    {KC_CONF_ROW_clock_skew, "2h", "must lie between 0 and 1h"},
    {KC_CONF_ROW_metadata_stale, "3651d", "must lie between 0"},
    {KC_CONF_ROW_login_timeout, "25h", "must lie between 1s and 1d"},
    {KC_CONF_ROW_http_timeout, "0", "must lie between 1ms and 5m"},
    {KC_CONF_ROW_http_timeout, "6m", "must lie between 1ms and 5m"},
    {KC_CONF_ROW_store_timeout, "0ms", "must lie between 1ms and 60s"},
    {KC_CONF_ROW_store_timeout, "60001ms", "must lie between 1ms and 60s"},
    {KC_CONF_ROW_store_timeout, "1d", "a duration such as"},
    {KC_CONF_ROW_store_grace, "3601", "must lie between 0 and 1h"},
    {KC_CONF_ROW_cache_ttl, "60001ms", "must lie between 0 and 60s"},
    {KC_CONF_ROW_cache_size, "1023K", "must lie between 1M and 64G"},
    {KC_CONF_ROW_cache_size, "65G", "must lie between 1M and 64G"},
    {KC_CONF_ROW_cache_size, "999999999999G", "must lie between"},
    {KC_CONF_ROW_cache_size, "64MB", "a size such as"},
    {KC_CONF_ROW_public_paths, "", "not empty"},
    {KC_CONF_ROW_memcached, "a\tb", "control"},
    {KC_CONF_ROW_client_auth, "client_secret", "takes one of client_secret_basic"},
    {KC_CONF_ROW_client_auth, "", "takes one of"},
    {KC_CONF_ROW_cookie_same_site, "Lax|Strict", "takes one of Lax"},
    {KC_CONF_ROW_unauth, "deny", "takes one of auto|login|401|pass"},
    {KC_CONF_ROW_require_acr, "", "not empty"},
    {KC_CONF_ROW_require_acr, "2 gold", "visible ASCII"},
    {KC_CONF_ROW_require_acr, "go\"ld", "visible ASCII"},
    {KC_CONF_ROW_require_acr, "go\\ld", "visible ASCII"},
    {KC_CONF_ROW_require_acr, "g\xc3\xb6ld", "visible ASCII"},
    {KC_CONF_ROW_require_acr, CHARACTERS_513, "512 characters together"},
    {KC_CONF_ROW_max_age, "3651d", "must lie between 0 and 3650d"},
    {KC_CONF_ROW_max_age, "never", "a duration such as"},
    {KC_CONF_ROW_headers, "X-Name", "not 1 arguments"},
    {KC_CONF_ROW_user_transforms, "upper", "takes lower"},
    {KC_CONF_ROW_crypto_key, KEY_A, "takes file:PATH"},
    {KC_CONF_ROW_crypto_key, "exec:/bin/true", "takes file:PATH"},
    {KC_CONF_ROW_crypto_key, "env:KC_TEST_NOT_SET", "is not set"},
    {KC_CONF_ROW_client_secret, "", "is empty"},
    {KC_CONF_ROW_client_secret, CANARY "\x01", "control"},
    {KC_CONF_ROW_client_secret, "env:KC_TEST_NOT_SET", "KC_TEST_NOT_SET is not set"},
    {KC_CONF_ROW_client_secret, "file:secret", "absolute"},
    {KC_CONF_ROW_client_secret, "file:", "absolute"},
    {KC_CONF_ROW_client_secret, "file:/nonexistent/secret", "cannot read file"},
    {KC_CONF_ROW_client_secret, "file:/", "not a regular file"},
    {KC_CONF_ROW_client_secret, "file:/dev/null", "not a regular file"},
    {KC_CONF_ROW_client_secret, "exec:", "absolute"},
    {KC_CONF_ROW_client_secret, "exec:cat /etc/hostname", "absolute"},
    {KC_CONF_ROW_client_secret, "exec:/nonexistent/program " CANARY, "cannot run"},
    {KC_CONF_ROW_client_secret, "exec:/bin/false " CANARY, "failed with status 1"},
    {KC_CONF_ROW_client_secret, "exec:/bin/true", "is empty"},
};

START_TEST(wrong_arguments_are_refused)
{
    const refusal_t *refusal = &refusals[_i];
    kc_err_t err = {0};

    ck_assert_msg(set_one(create((int)refusal->row), refusal->row, refusal->argument, &err) ==
                      KC_REFUSED,
                  "%s takes '%s'", kc_conf_table_row(refusal->row)->name, refusal->argument);
    ck_assert_int_eq(err.reason, KC_ERR_CONFIG);
    ck_assert_msg(strstr(err.detail, refusal->because) != NULL, "'%s' does not say '%s'",
                  err.detail, refusal->because);
    ck_assert_ptr_null(strstr(err.detail, CANARY));
    ck_assert_ptr_null(strstr(err.detail, KEY_A));
}
END_TEST

static void assert_two_refused_in(void *conf, kc_conf_index_t row, const char *first,
                                  const char *second, const char *because)
{
    const char *arguments[] = {first, second};
    kc_err_t err = {0};

    ck_assert_int_eq(kc_conf_set(conf, row, 2, arguments, "f", 1, pool, &err), KC_REFUSED);
    ck_assert_msg(strstr(err.detail, because) != NULL, "'%s' does not say '%s'", err.detail,
                  because);
}

static void assert_two_refused(kc_conf_index_t row, const char *first, const char *second,
                               const char *because)
{
    assert_two_refused_in(kc_conf_create(pool), row, first, second, because);
}

START_TEST(no_acr_stands_beside_none)
{
    const char *none = "none", *gold = "gold";
    kc_conf_dir_t *conf = kc_conf_dir_create(pool);

    assert_two_refused_in(kc_conf_dir_create(pool), KC_CONF_ROW_require_acr, none, gold, "alone");
    assert_two_refused_in(kc_conf_dir_create(pool), KC_CONF_ROW_require_acr, gold, none, "alone");
    ck_assert_int_eq(set_one(conf, KC_CONF_ROW_require_acr, gold, NULL), KC_OK);
    ck_assert_int_eq(set_one(conf, KC_CONF_ROW_require_acr, none, NULL), KC_REFUSED);
    ck_assert_int_eq(set_one(conf, KC_CONF_ROW_require_acr, "2", NULL), KC_OK);
    ck_assert_int_eq(conf->require_acr->nelts, 2);
}
END_TEST

START_TEST(wrong_pairs_are_refused)
{
    assert_two_refused(KC_CONF_ROW_issuer, "https://a.example", "https://b.example", "2 arguments");
    assert_two_refused(KC_CONF_ROW_headers, "X Name", "name", "header's name");
    assert_two_refused(KC_CONF_ROW_headers, "X-Name", "", "path of a claim");
    assert_two_refused(KC_CONF_ROW_user_transforms, "(", "x", "'(' is not valid");
    assert_two_refused(KC_CONF_ROW_user_transforms, "a", "\\1", "group \\1, the expression has 0");
    assert_two_refused(KC_CONF_ROW_user_transforms, "a", "x\\", "backslash");
    assert_two_refused(KC_CONF_ROW_user_transforms, "a", "\\n", "backslash");
    assert_two_refused(KC_CONF_ROW_crypto_key, "env:KC_TEST_KEY_A", "env:KC_TEST_NOT_SET",
                       "not set");
}
END_TEST

/* ---------------------------------------------------------------- secrets */

/* Sets the client's secret; the detail of the refusal, or NULL when it was taken. */
static const char *refusal_of(kc_conf_index_t row, const char *argument)
{
    kc_err_t err = {0};

    if (set_one(kc_conf_create(pool), row, argument, &err) == KC_OK)
        return NULL;
    ck_assert_ptr_null(strstr(err.detail, CANARY));
    return apr_pstrdup(pool, err.detail);
}

static const char *secret_of(const char *argument)
{
    kc_conf_t *conf = kc_conf_create(pool);
    kc_err_t err = {0};

    ck_assert_msg(set_one(conf, KC_CONF_ROW_client_secret, argument, &err) == KC_OK, "%s: %s",
                  argument, err.detail);
    return conf->client_secret.text;
}

static const char *file_secret(const char *data, size_t len)
{
    return apr_pstrcat(pool, "file:", write_file("secret", 0640, data, len), NULL);
}

START_TEST(a_files_first_line_is_the_secret)
{
    char longest[4096];

    memset(longest, 'a', sizeof(longest));
    ck_assert_str_eq(secret_of(file_secret("one", 3)), "one");
    ck_assert_str_eq(secret_of(file_secret("one\n", 4)), "one");
    ck_assert_str_eq(secret_of(file_secret("one\r\ntwo\n", 9)), "one");
    ck_assert_str_eq(secret_of(file_secret(" o ne \n", 7)), " o ne ");
    ck_assert_str_eq(secret_of(file_secret("p\xc3\xa4ss\n", 6)), "p\xc3\xa4ss");
    ck_assert_uint_eq(strlen(secret_of(file_secret(longest, sizeof(longest)))), sizeof(longest));
}
END_TEST

static void assert_file_refused(const char *data, size_t len, const char *because)
{
    const char *detail = refusal_of(KC_CONF_ROW_client_secret, file_secret(data, len));

    ck_assert_msg(detail && strstr(detail, because), "'%s' does not say '%s'", detail, because);
    ck_assert_ptr_nonnull(strstr(detail, path_of("secret")));
}

START_TEST(files_without_a_secret_are_refused)
{
    char too_long[4097];

    memset(too_long, 'a', sizeof(too_long));
    assert_file_refused("", 0, "is empty");
    assert_file_refused("\n" CANARY "\n", 15, "is empty");
    assert_file_refused("\r\n", 2, "is empty");
    assert_file_refused(CANARY "\0x\n", 16, "control");
    assert_file_refused(CANARY "\r\r\n", 16, "control");
    assert_file_refused(too_long, sizeof(too_long), "longer than 4096");
}
END_TEST

START_TEST(files_that_others_reach_are_refused)
{
    static const mode_t modes[] = {0644, 0604, 0602, 0601, 0777};

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        const char *path = write_text("secret", modes[i], CANARY);
        const char *argument = apr_pstrcat(pool, "file:", path, NULL);
        const char *detail = refusal_of(KC_CONF_ROW_client_secret, argument);

        ck_assert_msg(detail && strstr(detail, "chmod o-rwx") && strstr(detail, path),
                      "mode %o: '%s'", (unsigned int)modes[i], detail);
        ck_assert_ptr_nonnull(refusal_of(KC_CONF_ROW_crypto_key, argument));
    }
    ck_assert_str_eq(secret_of(apr_pstrcat(pool, "file:", write_text("secret", 0660, "x"), NULL)),
                     "x");
}
END_TEST

START_TEST(a_pipe_does_not_hang_the_start)
{
    const char *detail;

    ck_assert_int_eq(mkfifo(path_of("pipe"), 0600), 0);
    detail =
        refusal_of(KC_CONF_ROW_client_secret, apr_pstrcat(pool, "file:", path_of("pipe"), NULL));
    ck_assert_ptr_nonnull(detail);
    ck_assert_ptr_nonnull(strstr(detail, "not a regular file"));
}
END_TEST

START_TEST(the_environment_can_hold_a_secret)
{
    ck_assert_str_eq(secret_of("env:KC_TEST_KEY_B"), KEY_B);
    setenv("KC_TEST_EMPTY", "", 1);
    ck_assert_ptr_nonnull(
        strstr(refusal_of(KC_CONF_ROW_client_secret, "env:KC_TEST_EMPTY"), "is empty"));
    ck_assert_str_eq(secret_of("environment"), "environment");
    ck_assert_str_eq(secret_of("File:x"), "File:x");
}
END_TEST

static const char *script(const char *body)
{
    const char *path = write_text("script", 0700, apr_pstrcat(pool, "#!/bin/sh\n", body, NULL));

    return apr_pstrcat(pool, "exec:", path, NULL);
}

START_TEST(a_commands_first_line_is_the_secret)
{
    ck_assert_str_eq(secret_of(script("echo one; echo two")), "one");
    ck_assert_str_eq(secret_of(script("printf 'one\\r\\n'; exec >&-; sleep 0.2")), "one");
    ck_assert_str_eq(secret_of(apr_pstrcat(pool, script("printf %s \"$2$1\""), " 'a  b' c", NULL)),
                     "ca  b");
    /* No shell: its words are words, and its input is empty. */
    ck_assert_str_eq(secret_of("exec:/bin/echo $HOME;x|y"), "$HOME;x|y");
    ck_assert_str_eq(secret_of(script("cat; echo end")), "end");
    /* More than a pipe holds, behind the first line. */
    ck_assert_str_eq(secret_of(script("echo one; head -c 300000 /dev/zero")), "one");
    /* The command is over, but a child of it keeps its output open. */
    ck_assert_str_eq(secret_of(script("sleep 20 & echo one")), "one");
}
END_TEST

START_TEST(commands_that_fail_are_refused)
{
    const char *detail = refusal_of(KC_CONF_ROW_client_secret, script("echo " CANARY "; exit 3"));

    ck_assert_ptr_nonnull(strstr(detail, "failed with status 3"));
    detail = refusal_of(KC_CONF_ROW_client_secret, script("kill -TERM $$"));
    ck_assert_ptr_nonnull(strstr(detail, "failed with signal 15"));
    detail = refusal_of(KC_CONF_ROW_client_secret, script("head -c 5000 /dev/zero | tr '\\0' a"));
    ck_assert_ptr_nonnull(strstr(detail, "longer than 4096"));
    ck_assert_int_eq(chmod(path_of("script"), 0600), 0);
    if (geteuid() != 0) /* root may run nothing less, but is told otherwise */
        ck_assert_ptr_nonnull(
            strstr(refusal_of(KC_CONF_ROW_client_secret,
                              apr_pstrcat(pool, "exec:", path_of("script"), NULL)),
                   "cannot run"));
}
END_TEST

START_TEST(a_command_that_hangs_is_ended)
{
    const char *detail =
        refusal_of(KC_CONF_ROW_client_secret, script("echo " CANARY "; exec sleep 1000"));

    ck_assert_ptr_nonnull(detail);
    ck_assert_ptr_nonnull(strstr(detail, "did not end within 10 seconds"));
}
END_TEST

START_TEST(keys_have_32_characters)
{
    const char *path = write_text("key", 0600, KEY_B "\n");
    const char *argument = apr_pstrcat(pool, "file:", path, NULL);
    kc_conf_t *conf = kc_conf_create(pool);

    ck_assert_int_eq(set_text(conf, KC_CONF_ROW_crypto_key,
                              apr_pstrcat(pool, argument, " env:KC_TEST_KEY_A", NULL), NULL),
                     KC_OK);
    ck_assert_int_eq(conf->crypto_key->nelts, 2);
    ck_assert_str_eq(APR_ARRAY_IDX(conf->crypto_key, 0, kc_conf_file_t).text, KEY_B);
    ck_assert_str_eq(APR_ARRAY_IDX(conf->crypto_key, 1, kc_conf_file_t).text, KEY_A);
    ck_assert_str_eq(APR_ARRAY_IDX(conf->crypto_key, 0, kc_conf_file_t).path, path);
    ck_assert_int_eq(APR_ARRAY_IDX(conf->crypto_key, 0, kc_conf_file_t).stamp.size,
                     (apr_off_t)sizeof(KEY_B));
    ck_assert_ptr_null(APR_ARRAY_IDX(conf->crypto_key, 1, kc_conf_file_t).path);
    /* a further line adds to them */
    ck_assert_int_eq(set_text(conf, KC_CONF_ROW_crypto_key, argument, NULL), KC_OK);
    ck_assert_int_eq(conf->crypto_key->nelts, 3);
    write_file("key", 0600, KEY_B, sizeof(KEY_B) - 2);
    ck_assert_ptr_nonnull(
        strstr(refusal_of(KC_CONF_ROW_crypto_key, argument), "fewer than 32 characters"));
    ck_assert_ptr_null(strstr(refusal_of(KC_CONF_ROW_crypto_key, argument), "second-key"));
}
END_TEST

/* ---------------------------------------------------------------- the user's name */

static const char *transformed(const char *pattern, const char *replacement, const char *name)
{
    const char *arguments[] = {pattern, replacement};
    kc_conf_t *conf = kc_conf_create(pool);

    ck_assert_int_eq(kc_conf_set(conf, KC_CONF_ROW_user_transforms, replacement ? 2 : 1, arguments,
                                 "test.conf", 7, pool, NULL),
                     KC_OK);
    return kc_transform_apply(conf->user_transforms, name, pool);
}

START_TEST(names_are_transformed)
{
    const char *name = "Alice@Example.COM";

    ck_assert_ptr_eq(kc_transform_apply(NULL, name, pool), name);
    ck_assert_str_eq(transformed("lower", NULL, name), "alice@example.com");
    ck_assert_str_eq(transformed("Lower", NULL, "\xc3\x84Z"), "\xc3\x84z");
    ck_assert_str_eq(transformed("@.*$", "", name), "Alice");
    ck_assert_str_eq(transformed("^([^@]*)@(.*)$", "\\2/\\1", name), "Example.COM/Alice");
    ck_assert_str_eq(transformed("e", "<\\0>", name), "Alic<e>@Example.COM");
    ck_assert_str_eq(transformed("(x)?@", "[\\1]", name), "Alice[]Example.COM");
    ck_assert_str_eq(transformed("@", "\\\\1", name), "Alice\\1Example.COM");
    ck_assert_ptr_eq(transformed("zzz", "y", name), name);
    ck_assert_str_eq(transformed(".*", "", name), "");
    ck_assert_str_eq(transformed("^", "x", ""), "x");
}
END_TEST

static const char *transformed_by(const char *text, const char *name)
{
    return kc_transform_apply(conf_of(text)->user_transforms, name, pool);
}

START_TEST(of_several_transforms_the_first_that_matches_counts)
{
    static const char three[] = "KeycloakUserTransform ^root@example\\\\.com$ admin@corp\n"
                                "KeycloakUserTransform ^(.*)@example\\\\.com$ '\\\\1'\n"
                                "KeycloakUserTransform lower";

    ck_assert_str_eq(transformed_by(three, "root@example.com"), "admin@corp");
    ck_assert_str_eq(transformed_by(three, "Alice@example.com"), "Alice");
    ck_assert_str_eq(transformed_by(three, "Alice@Corp"), "alice@corp");
    /* what the first has made is not changed again */
    ck_assert_str_eq(transformed_by("KeycloakUserTransform a b\nKeycloakUserTransform b c", "a"),
                     "b");
    ck_assert_str_eq(transformed_by("KeycloakUserTransform x b\nKeycloakUserTransform y c", "A"),
                     "A");
}
END_TEST

START_TEST(nothing_stands_behind_lower)
{
    kc_conf_t *conf = conf_of("KeycloakUserTransform a b\nKeycloakUserTransform lower");
    kc_conf_t *add = conf_of("KeycloakUserTransform c d");

    ck_assert_int_eq(set_text(conf, KC_CONF_ROW_user_transforms, "lower", NULL), KC_REFUSED);
    assert_two_refused_in(conf, KC_CONF_ROW_user_transforms, "c", "d", "behind \"lower\"");
    ck_assert_str_eq(kc_conf_dump(conf, KC_CONF_ROW_user_transforms, pool), "a b, lower");
    /* a virtual host that has any has its own alone */
    ck_assert_str_eq(
        kc_conf_dump(kc_conf_merge(conf, add, pool), KC_CONF_ROW_user_transforms, pool), "c d");
    ck_assert_str_eq(kc_conf_dump(kc_conf_merge(conf, kc_conf_create(pool), pool),
                                  KC_CONF_ROW_user_transforms, pool),
                     "a b, lower");
}
END_TEST

/* ---------------------------------------------------------------- refused by the check */

#define BASE                                       \
    "KeycloakIssuer https://kc.example/realms/x\n" \
    "KeycloakClientID app\n"
#define FIVE " a b c d e"
#define THIRTEEN FIVE FIVE " x y z"
#define SIXTY_FIVE THIRTEEN THIRTEEN THIRTEEN THIRTEEN THIRTEEN
#define SECRET BASE "KeycloakClientSecret s\n"
#define SIXTEEN " a b c d e f g h i j k l m n o p"
#define SIXTY_FOUR "0123456789012345678901234567890123456789012345678901234567890123"

/* The example of RFC 7517 appendix A.2. */
static const char private_jwk[] =
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","
    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\","
    "\"d\":\"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\"}";

/* row is KC_CONF_ROWS where the settings are right. */
typedef struct {
    const char *lines;
    kc_conf_index_t row;
    const char *because;
} check_t;

static const check_t checks[] = {
    {SECRET, KC_CONF_ROWS, ""},
    /* without an issuer nothing else matters */
    {"KeycloakMemcached a/b", KC_CONF_ROWS, ""},
    {"KeycloakIssuer https://kc.example/realms/x?a=b\nKeycloakClientID a\nKeycloakClientSecret s",
     KC_CONF_ROW_issuer, "query"},
    {"KeycloakIssuer https://kc.example/realms/x/.well-known/openid-configuration\n"
     "KeycloakClientID a\nKeycloakClientSecret s",
     KC_CONF_ROW_issuer, "leave out /.well-known/openid-configuration"},
    {"KeycloakIssuer http://kc.example/realms/x\nKeycloakClientID a\nKeycloakClientSecret s",
     KC_CONF_ROW_issuer, "KeycloakAllowHTTP on"},
    {"KeycloakIssuer http://localhost.evil.example/\nKeycloakClientID a\nKeycloakClientSecret s",
     KC_CONF_ROW_issuer, "KeycloakAllowHTTP on"},
    {"KeycloakIssuer http://kc.example/realms/x\nKeycloakClientID a\nKeycloakClientSecret s\n"
     "KeycloakAllowHTTP on",
     KC_CONF_ROWS, ""},
    {"KeycloakIssuer http://127.0.0.1:8080/realms/x\nKeycloakClientID a\nKeycloakClientSecret s",
     KC_CONF_ROWS, ""},
    {"KeycloakIssuer http://localhost:8080/realms/x\nKeycloakClientID a\nKeycloakClientSecret s",
     KC_CONF_ROWS, ""},
    {"KeycloakIssuer http://[::1]:8080/realms/x\nKeycloakClientID a\nKeycloakClientSecret s",
     KC_CONF_ROWS, ""},
    {"KeycloakIssuer https://kc.example/realms/x\nKeycloakClientSecret s", KC_CONF_ROW_client_id,
     "is missing"},
    {BASE, KC_CONF_ROW_client_secret, "is missing"},
    {BASE "KeycloakClientAuth client_secret_post", KC_CONF_ROW_client_secret, "is missing"},
    {BASE "KeycloakClientAuth client_secret_jwt", KC_CONF_ROW_client_secret, "is missing"},
    {BASE "KeycloakClientAuth none", KC_CONF_ROWS, ""},
    {BASE "KeycloakClientAuth private_key_jwt", KC_CONF_ROW_client_key, "is missing"},
    {BASE "KeycloakClientAuth private_key_jwt\nKeycloakClientKey @/jwk", KC_CONF_ROWS, ""},
    {BASE "KeycloakClientAuth private_key_jwt\nKeycloakClientKey @/key", KC_CONF_ROW_client_key,
     "no private key as a JWK"},
    {BASE "KeycloakClientAuth private_key_jwt\nKeycloakClientKey @/pem", KC_CONF_ROW_client_key,
     "no private key as a JWK"},
    {BASE "KeycloakClientAuth tls_client_auth\nKeycloakClientKey @/jwk", KC_CONF_ROW_client_key,
     "no PRIVATE KEY in PEM"},
    {BASE "KeycloakClientAuth private_key_jwt\nKeycloakClientKey @/other", KC_CONF_ROW_client_key,
     "chmod o-rwx"},
    {BASE "KeycloakClientAuth private_key_jwt\nKeycloakClientKey @/none", KC_CONF_ROW_client_key,
     "cannot read file"},
    {BASE "KeycloakClientAuth tls_client_auth\nKeycloakClientKey @/pem", KC_CONF_ROW_client_cert,
     "is missing"},
    {BASE "KeycloakClientAuth tls_client_auth\nKeycloakClientKey @/pem\nKeycloakClientCert @/none",
     KC_CONF_ROW_client_cert, "cannot read file"},
    {BASE "KeycloakClientAuth tls_client_auth\nKeycloakClientKey @/pem\nKeycloakClientCert @/other",
     KC_CONF_ROWS, ""},
    {BASE "KeycloakClientAuth tls_client_auth\nKeycloakClientKey @/another\n"
          "KeycloakClientCert @/other",
     KC_CONF_ROW_client_key, "is not the key of KeycloakClientCert"},
    {BASE "KeycloakClientAuth tls_client_auth\nKeycloakClientKey @/locked\n"
          "KeycloakClientCert @/other",
     KC_CONF_ROW_client_key, "without a passphrase"},
    {BASE "KeycloakClientAuth tls_client_auth\nKeycloakClientKey @/spoilt\n"
          "KeycloakClientCert @/other",
     KC_CONF_ROW_client_key, "no PRIVATE KEY in PEM that can be read"},
    {BASE "KeycloakClientAuth tls_client_auth\nKeycloakClientKey @/marked\n"
          "KeycloakClientCert @/other",
     KC_CONF_ROW_client_key, "no PRIVATE KEY in PEM that can be read"},
    {BASE "KeycloakClientAuth tls_client_auth\nKeycloakClientKey @/open\n"
          "KeycloakClientCert @/other",
     KC_CONF_ROW_client_key, "no PRIVATE KEY in PEM that can be read"},
    {BASE "KeycloakClientAuth tls_client_auth\nKeycloakClientKey @/pem\n"
          "KeycloakClientCert @/bundle",
     KC_CONF_ROWS, ""},
    {BASE "KeycloakClientAuth tls_client_auth\nKeycloakClientKey @/pem\n"
          "KeycloakClientCert @/third",
     KC_CONF_ROW_client_cert, "number 3, that cannot be read"},
    {BASE "KeycloakClientAuth tls_client_auth\nKeycloakClientKey @/pem\n"
          "KeycloakClientCert @/nothing",
     KC_CONF_ROW_client_cert, "number 1, that cannot be read"},
    {SECRET "KeycloakScope openid,profile\nKeycloakScope a\\\\\\\\b", KC_CONF_ROW_scope,
     "one by one"},
    {SECRET "KeycloakScope 'openid profile'", KC_CONF_ROW_scope, "one by one"},
    {SECRET "KeycloakAlgorithms RS256 HS256", KC_CONF_ROW_algorithms, "asymmetric"},
    {SECRET "KeycloakAlgorithms none", KC_CONF_ROW_algorithms, "asymmetric"},
    {SECRET "KeycloakAlgorithms rs256", KC_CONF_ROW_algorithms, "asymmetric"},
    {SECRET "KeycloakAlgorithms 'RS256 RS384'", KC_CONF_ROW_algorithms, "asymmetric"},
    {SECRET "KeycloakRedirectURI https://a.example/", KC_CONF_ROW_redirect_uri, "path of its own"},
    {SECRET "KeycloakRedirectURI https://a.example/authservice/backchannel-logout",
     KC_CONF_ROW_redirect_uri, "another address"},
    {SECRET "KeycloakRedirectURI https://a.example/authservice/whoami", KC_CONF_ROW_redirect_uri,
     "another address"},
    {SECRET "KeycloakAuthURL /authservice/login", KC_CONF_ROW_auth_url, "this module itself"},
    {SECRET "KeycloakAuthURL https://a.example/authservice/oidc/callback", KC_CONF_ROW_auth_url,
     "this module itself"},
    {SECRET "KeycloakRedirectURI https://a.example/cb?x", KC_CONF_ROW_redirect_uri, "no query"},
    {SECRET "KeycloakRedirectURI https://a.example/authservice/logout", KC_CONF_ROW_redirect_uri,
     "another address"},
    {SECRET "KeycloakRedirectURI https://a.example/cb\nKeycloakPublicURL https://b.example",
     KC_CONF_ROW_redirect_uri, "must agree"},
    {SECRET "KeycloakRedirectURI http://a.example/cb\nKeycloakPublicURL https://a.example",
     KC_CONF_ROW_redirect_uri, "must agree"},
    {SECRET "KeycloakRedirectURI https://a.example/cb\nKeycloakPublicURL https://A.example:443/",
     KC_CONF_ROWS, ""},
    {SECRET "KeycloakAuthURL http://login.example/", KC_CONF_ROW_auth_url, "KeycloakAllowHTTP"},
    {SECRET "KeycloakAuthURL /login/auth", KC_CONF_ROWS, ""},
    {SECRET "KeycloakBackchannelURL http://keycloak:8080", KC_CONF_ROW_backchannel_url,
     "KeycloakAllowHTTP"},
    {SECRET "KeycloakBackchannelURL http://keycloak:8080\nKeycloakAllowHTTP on", KC_CONF_ROWS, ""},
    {SECRET "KeycloakEndpointOrigins https://a.example/x", KC_CONF_ROW_endpoint_origins,
     "without a path"},
    {SECRET "KeycloakEndpointOrigins a.example", KC_CONF_ROW_endpoint_origins, "not a whole URL"},
    {SECRET "KeycloakEndpointOrigins https://a.example http://b.example",
     KC_CONF_ROW_endpoint_origins, "KeycloakAllowHTTP"},
    {SECRET "KeycloakTrustedProxy 10.0.0.0/33", KC_CONF_ROW_trusted_proxies, "takes addresses"},
    {SECRET "KeycloakTrustedProxy proxy.example", KC_CONF_ROW_trusted_proxies, "takes addresses"},
    {SECRET "KeycloakTrustedProxy 10.0.0.0/8 ::1 fd00::/8 192.0.2.1", KC_CONF_ROWS, ""},
    {SECRET "KeycloakJudgeFor nginx", KC_CONF_ROW_judge_for, "needs KeycloakTrustedProxy"},
    {SECRET "KeycloakJudgeFor forwarded", KC_CONF_ROW_judge_for, "needs KeycloakTrustedProxy"},
    {SECRET "KeycloakJudgeFor nginx\nKeycloakTrustedProxy ::1", KC_CONF_ROWS, ""},
    {SECRET "KeycloakJudgeFor envoy", KC_CONF_ROWS, ""},
    {SECRET "KeycloakCAFile @/none", KC_CONF_ROW_ca_file, "cannot read file"},
    {SECRET "KeycloakCAFile /", KC_CONF_ROW_ca_file, "not a regular file"},
    {SECRET "KeycloakCAFile @/other", KC_CONF_ROWS, ""},
    {SECRET "KeycloakCAFile @/key", KC_CONF_ROW_ca_file, "no CERTIFICATE in PEM"},
    {SECRET "KeycloakCAFile @/bundle", KC_CONF_ROWS, ""},
    {SECRET "KeycloakCAFile @/third", KC_CONF_ROW_ca_file, "number 3, that cannot be read"},
    {SECRET "KeycloakCAFile @/nothing", KC_CONF_ROW_ca_file, "number 1, that cannot be read"},
    {SECRET "KeycloakCAFile @/begun", KC_CONF_ROW_ca_file, "number 1, that cannot be read"},
    {SECRET "KeycloakCAFile @/cut", KC_CONF_ROW_ca_file, "number 1, that cannot be read"},
    {SECRET "KeycloakCAFile @/zeros", KC_CONF_ROW_ca_file, "number 1, that cannot be read"},
    {SECRET "KeycloakMemcached mc1:11211 mc2:0", KC_CONF_ROW_memcached, "HOST:PORT"},
    {SECRET "KeycloakMemcached" SIXTY_FIVE, KC_CONF_ROW_memcached, "up to 64 servers"},
    {SECRET "KeycloakMemcached http://mc1", KC_CONF_ROW_memcached, "HOST:PORT"},
    {SECRET "KeycloakMemcached mc1:", KC_CONF_ROW_memcached, "HOST:PORT"},
    {SECRET "KeycloakMemcached mc1,mc2", KC_CONF_ROW_memcached, "HOST:PORT"},
    {SECRET "KeycloakMemcached ::1", KC_CONF_ROW_memcached, "HOST:PORT"},
    {SECRET "KeycloakMemcachedUser app", KC_CONF_ROW_memcached_user, "KeycloakMemcachedPassword"},
    {SECRET "KeycloakMemcachedPassword env:KC_TEST_KEY_A", KC_CONF_ROW_memcached_password,
     "KeycloakMemcachedUser"},
    {SECRET "KeycloakMemcached mc1 mc2:1 [::1]:65535 10.1.2.3:11211", KC_CONF_ROWS, ""},
    {SECRET "KeycloakCookie 'my cookie'", KC_CONF_ROW_cookie, "cookie's name"},
    {SECRET "KeycloakCookie a=b", KC_CONF_ROW_cookie, "cookie's name"},
    {SECRET "KeycloakCookie 'a;b'", KC_CONF_ROW_cookie, "cookie's name"},
    {SECRET "KeycloakCookie __Host-s\nKeycloakPublicURL http://a.example", KC_CONF_ROW_cookie,
     "needs https"},
    {SECRET "KeycloakCookie __secure-s\nKeycloakPublicURL http://a.example", KC_CONF_ROW_cookie,
     "needs https"},
    {SECRET "KeycloakCookie __host-s\nKeycloakCookieDomain a.example", KC_CONF_ROW_cookie,
     "KeycloakCookieDomain"},
    {SECRET "KeycloakCookie __Secure-s\nKeycloakCookieDomain a.example\n"
            "KeycloakPublicURL https://www.a.example",
     KC_CONF_ROWS, ""},
    {SECRET "KeycloakCookie __Host-s\nKeycloakPublicURL https://a.example", KC_CONF_ROWS, ""},
    {SECRET "KeycloakCookie keycloak_login_x", KC_CONF_ROW_cookie, "another cookie"},
    {SECRET "KeycloakCookie keycloak_rounds", KC_CONF_ROW_cookie, "another cookie"},
    {SECRET "KeycloakCookie keycloak_logout", KC_CONF_ROW_cookie, "another cookie"},
    {SECRET "KeycloakCookie Keycloak_Logout", KC_CONF_ROW_cookie, "another cookie"},
    {SECRET "KeycloakCookie __Host-keycloak_login_x", KC_CONF_ROW_cookie, "another cookie"},
    {SECRET "KeycloakCookie __host-keycloak_logout", KC_CONF_ROW_cookie, "another cookie"},
    {SECRET "KeycloakCookie __Secure-keycloak_rounds", KC_CONF_ROW_cookie, "another cookie"},
    {SECRET "KeycloakCookieSameSite None", KC_CONF_ROW_cookie_same_site, "https"},
    {SECRET "KeycloakCookieSameSite None\nKeycloakPublicURL http://a.example",
     KC_CONF_ROW_cookie_same_site, "https"},
    {SECRET "KeycloakCookieSameSite None\nKeycloakPublicURL https://a.example", KC_CONF_ROWS, ""},
    {SECRET "KeycloakCookieDomain .a.example", KC_CONF_ROW_cookie_domain, "leading dot"},
    {SECRET "KeycloakCookieDomain 'a.example; Secure'", KC_CONF_ROW_cookie_domain,
     "takes a domain"},
    {SECRET "KeycloakCookieDomain com", KC_CONF_ROW_cookie_domain, "with a dot"},
    {SECRET "KeycloakCookieDomain com\nKeycloakPublicURL https://a.com", KC_CONF_ROW_cookie_domain,
     "with a dot"},
    {SECRET "KeycloakCookieDomain intranet\nKeycloakPublicURL https://intranet",
     KC_CONF_ROW_cookie_domain, "with a dot"},
    {SECRET "KeycloakCookieDomain LocalHost\nKeycloakPublicURL http://a.localhost", KC_CONF_ROWS,
     ""},
    {SECRET "KeycloakCookieDomain a.example", KC_CONF_ROWS, ""},
    {SECRET "KeycloakCookieDomain b.example\nKeycloakPublicURL https://a.example",
     KC_CONF_ROW_cookie_domain, "is not a domain of"},
    {SECRET "KeycloakCookieDomain a.example\nKeycloakPublicURL https://evila.example",
     KC_CONF_ROW_cookie_domain, "is not a domain of"},
    {SECRET "KeycloakUserHeader Cookie", KC_CONF_ROW_user_header, "requests depend on it"},
    {SECRET "KeycloakUserHeader kubeflow_groups", KC_CONF_ROW_groups_header,
     "KeycloakUserHeader already"},
    {SECRET "KeycloakIDTokenHeader Authorization", KC_CONF_ROWS, ""},
    {SECRET "KeycloakIDTokenHeader X-Id-Token", KC_CONF_ROWS, ""},
    {SECRET "KeycloakIDTokenHeader Authori_zation", KC_CONF_ROW_id_token_header,
     "requests depend on it"},
    {SECRET "KeycloakIDTokenHeader Cookie", KC_CONF_ROW_id_token_header, "requests depend on it"},
    {SECRET "KeycloakIDTokenHeader kubeflow_groups", KC_CONF_ROW_id_token_header,
     "is the header of the user or the groups"},
    {SECRET "KeycloakIDTokenHeader Kubeflow-UserID", KC_CONF_ROW_id_token_header,
     "is the header of the user or the groups"},
    {SECRET "KeycloakIDTokenHeader X-Token\nKeycloakHeader X_Token sub", KC_CONF_ROW_headers,
     "set already"},
    {SECRET "KeycloakBearer on\nKeycloakAudience app account", KC_CONF_ROW_audience,
     "cannot be account"},
    {SECRET "KeycloakBearer on\nKeycloakAudience app accounts", KC_CONF_ROWS, ""},
    {SECRET "KeycloakGroupsHeader Content_Length", KC_CONF_ROW_groups_header,
     "requests depend on it"},
    {SECRET "KeycloakHeader KUBEFLOW_userid sub", KC_CONF_ROW_headers, "set already"},
    {SECRET "KeycloakHeader X-Name name\nKeycloakHeader x.name email", KC_CONF_ROW_headers,
     "set already"},
    {SECRET "KeycloakHeader Host a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader cookie a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader Authorization a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader content_length a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader Transfer-Encoding a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader Connection a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader Upgrade a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader TE a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader Trailer a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader --- a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader X-Name name\nKeycloakHeader X-Mail email", KC_CONF_ROWS, ""},
    {SECRET "KeycloakHeader X-Forwarded-User email\nKeycloakHeader X-Forwarded-Groups groups\n"
            "KeycloakHeader X-Auth-Request-Email email",
     KC_CONF_ROWS, ""},
    {SECRET "KeycloakUserHeader Location", KC_CONF_ROW_user_header, "requests depend on it"},
    {SECRET "KeycloakGroupsHeader WWW-Authenticate", KC_CONF_ROW_groups_header,
     "requests depend on it"},
    {SECRET "KeycloakHeader Date a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader Content-Type a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader Content-Encoding a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader Set-Cookie a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader Status a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader Server a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader Trailers a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader Cache-Control a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader X_Envoy.Auth-Headers-To-Remove a", KC_CONF_ROW_headers,
     "requests depend on it"},
    {SECRET "KeycloakHeader x-envoy-original-path a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader X-Keycloak-Login a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader Sec-Fetch-Site a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader X-Forwarded-Proto a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader X-Forwarded_Uri a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakHeader X-Original-URI a", KC_CONF_ROW_headers, "requests depend on it"},
    {SECRET "KeycloakGroupsFilter order:upwards", KC_CONF_ROW_groups_filter, "'order:upwards'"},
    {SECRET "KeycloakGroupsFilter order:", KC_CONF_ROW_groups_filter, "'order:'"},
    {SECRET "KeycloakGroupsFilter order:token order:token", KC_CONF_ROW_groups_filter, "one order"},
    {SECRET "KeycloakGroupsFilter limit:0", KC_CONF_ROW_groups_filter, "'limit:0'"},
    {SECRET "KeycloakGroupsFilter limit:5001", KC_CONF_ROW_groups_filter, "1 to 5000"},
    {SECRET "KeycloakGroupsFilter limit:05", KC_CONF_ROW_groups_filter, "1 to 5000"},
    {SECRET "KeycloakGroupsFilter limit:99999999999", KC_CONF_ROW_groups_filter, "1 to 5000"},
    {SECRET "KeycloakGroupsFilter limit:-1", KC_CONF_ROW_groups_filter, "1 to 5000"},
    {SECRET "KeycloakGroupsFilter limit:5x", KC_CONF_ROW_groups_filter, "1 to 5000"},
    {SECRET "KeycloakGroupsFilter limit:", KC_CONF_ROW_groups_filter, "1 to 5000"},
    {SECRET "KeycloakGroupsFilter limit:1 a limit:2", KC_CONF_ROW_groups_filter, "'limit:2'"},
    {SECRET "KeycloakGroupsFilter /", KC_CONF_ROW_groups_filter, "takes patterns"},
    {SECRET "KeycloakGroupsFilter a,b", KC_CONF_ROW_groups_filter, "'a,b'"},
    {SECRET "KeycloakIdleIgnore poll", KC_CONF_ROW_idle_ignore, "below /"},
    {SECRET "KeycloakIdleIgnore /a /b?c", KC_CONF_ROW_idle_ignore, "no wildcard but *"},
    {SECRET "KeycloakIdleIgnore /[a-z]", KC_CONF_ROW_idle_ignore, "no wildcard but *"},
    {SECRET "KeycloakIdleIgnore /a%2fb", KC_CONF_ROW_idle_ignore, "no wildcard but *"},
    {SECRET "KeycloakIdleIgnore /", KC_CONF_ROW_idle_ignore, "below /"},
    {SECRET "KeycloakIdleIgnore /a//b", KC_CONF_ROW_idle_ignore, "'//'"},
    {SECRET "KeycloakIdleIgnore /a/../b", KC_CONF_ROW_idle_ignore, "'/.'"},
    {SECRET "KeycloakIdleIgnore /a /notebook/*/*/api", KC_CONF_ROWS, ""},
    {SECRET "KeycloakPublicPath public", KC_CONF_ROW_public_paths, "begin with /"},
    {SECRET "KeycloakPublicPath /a/../b", KC_CONF_ROW_public_paths, "'..'"},
    {SECRET "KeycloakPublicPath /a/.", KC_CONF_ROW_public_paths, "'..'"},
    {SECRET "KeycloakPublicPath //a", KC_CONF_ROW_public_paths, "'//'"},
    {SECRET "KeycloakPublicPath /a%2fb", KC_CONF_ROW_public_paths, "escapes"},
    {SECRET "KeycloakPublicPath /a/*", KC_CONF_ROW_public_paths, "wildcards"},
    {SECRET "KeycloakPublicPath '/a;b'", KC_CONF_ROW_public_paths, "plain paths"},
    {SECRET "KeycloakPublicPath /a /b/ /.well-known/x /...", KC_CONF_ROWS, ""},
    {SECRET "KeycloakReturnHosts https://a.example", KC_CONF_ROW_return_hosts, "HOST:PORT"},
    {SECRET "KeycloakReturnHosts a.example/x", KC_CONF_ROW_return_hosts, "HOST:PORT"},
    {SECRET "KeycloakReturnHosts *.example", KC_CONF_ROW_return_hosts, "HOST:PORT"},
    {SECRET "KeycloakReturnHosts a.example b.example:8443", KC_CONF_ROWS, ""},
    {SECRET "KeycloakLoginParameters kc_idp_hint kc_locale x-y.z", KC_CONF_ROWS, ""},
    {SECRET "KeycloakLoginParameters none", KC_CONF_ROWS, ""},
    {SECRET "KeycloakLoginParameters none x", KC_CONF_ROW_login_parameters, "takes none alone"},
    {SECRET "KeycloakLoginParameters x none", KC_CONF_ROW_login_parameters, "takes none alone"},
    {SECRET "KeycloakLoginParameters x y x", KC_CONF_ROW_login_parameters, "x twice"},
    {SECRET "KeycloakLoginParameters x\nKeycloakLoginParameters x", KC_CONF_ROW_login_parameters,
     "x twice"},
    {SECRET "KeycloakLoginParameters a,b", KC_CONF_ROW_login_parameters, "takes names of"},
    {SECRET "KeycloakLoginParameters 'a b'", KC_CONF_ROW_login_parameters, "takes names of"},
    {SECRET "KeycloakLoginParameters a=b", KC_CONF_ROW_login_parameters, "takes names of"},
    {SECRET "KeycloakLoginParameters " SIXTY_FOUR, KC_CONF_ROWS, ""},
    {SECRET "KeycloakLoginParameters " SIXTY_FOUR "x", KC_CONF_ROW_login_parameters,
     "takes names of"},
    {SECRET "KeycloakLoginParameters" SIXTEEN, KC_CONF_ROWS, ""},
    {SECRET "KeycloakLoginParameters" SIXTEEN " r", KC_CONF_ROW_login_parameters,
     "takes up to 16 names, not 17"},
    {BASE "KeycloakClientAuth none\nKeycloakLoginParameters client_id",
     KC_CONF_ROW_login_parameters, "the sign-in depends on it"},
};

static const struct {
    const char *line;
    kc_conf_index_t row;
    const char *says; /* NULL: nothing */
} doubts[] = {
    {"KeycloakStoreTimeout 50", KC_CONF_ROW_store_timeout, "50 seconds"},
    {"KeycloakStoreTimeout 2001ms", KC_CONF_ROW_store_timeout, "2.001 seconds"},
    {"KeycloakStoreTimeout 2s", KC_CONF_ROW_store_timeout, NULL},
    {"KeycloakStoreTimeout 5ms", KC_CONF_ROW_store_timeout, NULL},
    {"KeycloakStoreTimeout 4ms", KC_CONF_ROW_store_timeout, "0.004 seconds"},
    {"KeycloakHTTPTimeout 99ms", KC_CONF_ROW_http_timeout, "0.099 seconds"},
    {"KeycloakHTTPTimeout 31", KC_CONF_ROW_http_timeout, "31 seconds"},
    {"KeycloakCacheTTL 11s", KC_CONF_ROW_cache_ttl, "11 seconds"},
    {"KeycloakCacheTTL 0", KC_CONF_ROW_cache_ttl, NULL},
    {"KeycloakClockSkew 301", KC_CONF_ROW_clock_skew, "301 seconds"},
    {"KeycloakMetadataTTL 9s", KC_CONF_ROW_metadata_ttl, "9 seconds"},
    {"KeycloakLoginTimeout 10", KC_CONF_ROW_login_timeout, "10 seconds"},
    {"KeycloakSessionMax 10", KC_CONF_ROW_session_max, "10 seconds"},
    {"KeycloakSessionMax 91d", KC_CONF_ROW_session_max, "7862400 seconds"},
    {"KeycloakSessionIdle 30", KC_CONF_ROW_session_idle, "30 seconds"},
    {"KeycloakSessionIdle 1m", KC_CONF_ROW_session_idle, NULL},
    {"KeycloakScope openid,email", KC_CONF_ROW_scope, "openid,email is one scope"},
    {"KeycloakScope openid email,", KC_CONF_ROW_scope, "email, is one scope"},
    {"KeycloakScope openid email", KC_CONF_ROW_scope, NULL},
};

/* What the protocol and the login address use themselves: no link may set it. */
static const char *const reserved[] = {"client_id",
                                       "redirect_uri",
                                       "response_type",
                                       "response_mode",
                                       "scope",
                                       "state",
                                       "nonce",
                                       "code_challenge",
                                       "code_challenge_method",
                                       "request",
                                       "request_uri",
                                       "claims",
                                       "prompt",
                                       "max_age",
                                       "acr_values",
                                       "iss",
                                       "id_token_hint",
                                       "registration",
                                       "resource",
                                       "audience",
                                       "authorization_details",
                                       "dpop_jkt",
                                       "client_secret",
                                       "client_assertion",
                                       "client_assertion_type",
                                       "return",
                                       "target_link_uri",
                                       "demand",
                                       "Client_ID",
                                       "SCOPE"};

START_TEST(values_that_are_hardly_meant_are_told)
{
    const kc_conf_t *conf = conf_of(apr_pstrcat(pool, SECRET, doubts[_i].line, NULL));
    int i;

    for (i = 0; i < KC_CONF_ROWS; i++) {
        const char *says = kc_conf_doubt_tell(conf, (kc_conf_index_t)i, pool);
        const char *wanted = i == (int)doubts[_i].row ? doubts[_i].says : NULL;

        ck_assert_msg(!says == !wanted && (!says || strncmp(says, wanted, strlen(wanted)) == 0),
                      "%s: %s", doubts[_i].line, says ? says : "nothing");
    }
}
END_TEST

START_TEST(no_link_sets_what_the_sign_in_depends_on)
{
    const char *lines =
        apr_pstrcat(pool, SECRET "KeycloakLoginParameters login_hint ", reserved[_i], NULL);
    kc_conf_index_t index = KC_CONF_ROWS;
    kc_err_t err = {0};

    ck_assert_int_eq(kc_conf_check_all(conf_of(lines), &index, pool, &err), KC_REFUSED);
    ck_assert_int_eq(index, KC_CONF_ROW_login_parameters);
    ck_assert_msg(strstr(err.detail, reserved[_i]) != NULL, "%s", err.detail);
}
END_TEST

/* "@" in a line stands for the test's folder. */
static kc_conf_t *conf_in_folder(const char *lines)
{
    char *copy = apr_pstrdup(pool, lines);
    char *at = strstr(copy, "@/");
    const char *whole = copy;

    for (; at; at = strstr((char *)whole, "@/")) {
        *at = '\0';
        whole = apr_pstrcat(pool, whole, folder, at + 1, NULL);
    }
    return conf_of(whole);
}

/* Made for these tests. */
static const char pem_key[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgodaqHSqCefW7b7jv\n"
                              "0GC+HtHxD8HkygwEUBAuxaYZQwShRANCAAQHDRYykgwCKpiaSFwOuquFwDRqwjTG\n"
                              "yJB9EVV4GfFYM7gzUf1Zl+qmk+8ewG5vm1LXvjZgkH9r4DSgCpf9/Qm1\n"
                              "-----END PRIVATE KEY-----\n";
static const char pem_certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBcDCCARWgAwIBAgIUEWWyJIIZ8WbLOrsh3Z9hoBZdTgYwCgYIKoZIzj0EAwIw\n"
    "DDEKMAgGA1UEAwwBYTAgFw0yNjExMzAwMzI3NDhaGA8yMTI2MTEwNjAzMjc0OFow\n"
    "DDEKMAgGA1UEAwwBYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAcNFjKSDAIq\n"
    "mJpIXA66q4XANGrCNMbIkH0RVXgZ8VgzuDNR/VmX6qaT7x7Abm+bUte+NmCQf2vg\n"
    "NKAKl/39CbWjUzBRMB0GA1UdDgQWBBQyg4ma+4PMmM5MadxXkYi0Zc+4HDAfBgNV\n"
    "HSMEGDAWgBQyg4ma+4PMmM5MadxXkYi0Zc+4HDAPBgNVHRMBAf8EBTADAQH/MAoG\n"
    "CCqGSM49BAMCA0kAMEYCIQC6HAQQHeU7/hCTK/h9YaUSrHPRoKO9vwyDZRhNPc96\n"
    "bQIhAKIwep7Q+WzUuSFGYQVuHXPKYK9mi2GP3IVppUv1QSTh\n"
    "-----END CERTIFICATE-----\n";
static const char pem_other_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAGYLXD90Quk9zUEG\n"
    "ILZyhsMW9JuFBWr6K9ot+BYiFe+hRANCAARZS90lMDEXv2cRVJi0UploWjGRuQGS\n"
    "Ws0YjI2dJDLiSfipSifozSqKuxxoC0IMfkzMHy/XOLvsJBo+rNFpWOHO\n"
    "-----END PRIVATE KEY-----\n";
static const char pem_locked_key[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhXLvUz2zvJFwICCAAw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEENsS5kQjtuzHwYOfuBMGxHMEgZA0\n"
    "QzMSjQJQOVaFBLhmy5ba7Qju/SNgYVpnMFuVYB/jmAYAvv2zpPKsrZq1wil4D25U\n"
    "OScoS6QdNGgKNicVKtH4vpejVwe8sG6J8PbJYr/tsjU8Yr48lHMptv/Nz6HtSJSX\n"
    "sYGYdQZ/9El91258CImPYDcz0BinSqNi83ycxNzm22ibxPUlHfnoHwqzpuHGlk8=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

/* Of a text in PEM the n-th line is rubbish. */
static const char *spoilt(const char *text, int line)
{
    char *copy = apr_pstrdup(pool, text), *at = copy;

    while (line--)
        at = strchr(at, '\n') + 1;
    memcpy(at, "rubbish!", 8);
    return copy;
}

static void write_pems(void)
{
    write_text("pem", 0600, pem_key);
    write_text("another", 0600, pem_other_key);
    write_text("locked", 0600, pem_locked_key);
    write_text("spoilt", 0600, spoilt(pem_key, 1));
    write_text("marked", 0600, "-----BEGIN PRIVATE KEY-----\nrubbish\n-----END PRIVATE KEY-----\n");
    write_text("open", 0600, "-----BEGIN PRIVATE KEY-----\n");
    write_text("other", 0644, pem_certificate);
    write_text("bundle", 0644,
               apr_pstrcat(pool, "# one\n", pem_certificate, "\n# two\n", pem_certificate, NULL));
    write_text("third", 0644,
               apr_pstrcat(pool, pem_certificate, pem_certificate, spoilt(pem_certificate, 2),
                           pem_certificate, NULL));
    write_text("nothing", 0644,
               "-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n");
    write_text("begun", 0644, "-----BEGIN CERTIFICATE-----\n");
    write_text("cut", 0644, apr_pstrndup(pool, pem_certificate, strlen(pem_certificate) - 40));
    write_text("zeros", 0644, "-----BEGIN CERTIFICATE-----\nAAAAAAAA\n-----END CERTIFICATE-----\n");
}

START_TEST(settings_are_checked_together)
{
    const check_t *check = &checks[_i];
    kc_conf_index_t index = KC_CONF_ROWS;
    kc_err_t err = {0};
    kc_conf_t *conf;
    kc_rc_t rc;

    write_text("key", 0600, "key");
    write_text("jwk", 0600, private_jwk);
    write_pems();
    conf = conf_in_folder(check->lines);
    rc = kc_conf_check_all(conf, &index, pool, &err);
    ck_assert_msg(index == check->row, "blames row %d (%s) for: %s", (int)index, err.detail,
                  check->lines);
    ck_assert_int_eq(rc, check->row == KC_CONF_ROWS ? KC_OK : KC_REFUSED);
    ck_assert_msg(strstr(err.detail, check->because) != NULL, "'%s' does not say '%s'", err.detail,
                  check->because);
    if (rc != KC_OK)
        ck_assert_int_eq(err.reason, KC_ERR_CONFIG);
}
END_TEST

/* Children of a server that began as root may not be able to read them. */
START_TEST(files_are_read_at_start)
{
    static char large[KC_CONF_FILE_MAX + 1];
    kc_conf_index_t index = KC_CONF_ROWS;
    kc_err_t err = {0};
    kc_conf_t *conf;

    write_text("ca", 0644, "ca\n");
    write_text("cert", 0644, "cert\n");
    write_text("key", 0600, "key\nmore\n");
    conf = conf_in_folder(BASE "KeycloakClientAuth tls_client_auth\nKeycloakCAFile @/ca\n"
                               "KeycloakClientCert @/cert\nKeycloakClientKey @/key");
    ck_assert_ptr_null(conf->ca_file.text);
    ck_assert_int_eq(kc_conf_load(conf, &index, pool, &err), KC_OK);
    ck_assert_str_eq(conf->ca_file.text, "ca\n");
    ck_assert_str_eq(conf->client_cert.text, "cert\n");
    ck_assert_str_eq(conf->client_key.text, "key\nmore\n");
    write_text("key", 0604, "key");
    ck_assert_int_eq(kc_conf_load(conf, &index, pool, &err), KC_REFUSED);
    ck_assert_int_eq(index, KC_CONF_ROW_client_key);
    ck_assert_ptr_nonnull(strstr(err.detail, "chmod"));
    write_file("cert", 0644, "a\0b", 3);
    ck_assert_int_eq(kc_conf_load(conf, &index, pool, &err), KC_REFUSED);
    ck_assert_int_eq(index, KC_CONF_ROW_client_cert);
    write_file("ca", 0644, large, sizeof(large));
    ck_assert_int_eq(kc_conf_load(conf, &index, pool, &err), KC_REFUSED);
    ck_assert_int_eq(index, KC_CONF_ROW_ca_file);
}
END_TEST

/* What httpd -t accepts must start. */
START_TEST(files_that_nobody_needs_are_not_read)
{
    static const char *const lines[] = {
        SECRET "KeycloakClientCert @/none\nKeycloakClientKey @/none",
        BASE "KeycloakClientAuth private_key_jwt\nKeycloakClientCert @/none\n"
             "KeycloakClientKey @/jwk"};
    kc_conf_index_t index = KC_CONF_ROWS;
    kc_err_t err = {0};
    kc_conf_t *conf;

    write_text("jwk", 0600, private_jwk);
    conf = conf_in_folder(lines[_i]);
    ck_assert_int_eq(kc_conf_check_all(conf, &index, pool, &err), KC_OK);
    ck_assert_int_eq(kc_conf_load(conf, &index, pool, &err), KC_OK);
    ck_assert_ptr_null(conf->client_cert.text);
    ck_assert_pstr_eq(conf->client_key.text, _i ? private_jwk : NULL);
}
END_TEST

/* ---------------------------------------------------------------- lists in quotes */

static const struct {
    kc_conf_index_t index;
    const char *given[3], *words; /* with a bar behind each */
} lists[] = {
    {KC_CONF_ROW_scope, {"openid email"}, "openid|email|"},
    {KC_CONF_ROW_scope, {" openid \t email ", "groups"}, "openid|email|groups|"},
    {KC_CONF_ROW_scope, {"openid", "email"}, "openid|email|"},
    {KC_CONF_ROW_scope, {"", " "}, "| |"},
    {KC_CONF_ROW_memcached, {"a:1 b:2"}, "a:1|b:2|"},
    {KC_CONF_ROW_trusted_proxies, {"10.0.0.0/8 ::1"}, "10.0.0.0/8|::1|"},
    {KC_CONF_ROW_public_paths, {"/a /b", "/c"}, "/a|/b|/c|"},
    {KC_CONF_ROW_require_acr, {"gold silver"}, "gold|silver|"},
    {KC_CONF_ROW_crypto_key, {"file:/a file:b"}, "file:/a|file:b|"},
    {KC_CONF_ROW_crypto_key, {"file:/my keys/a  file:/b c "}, "file:/my keys/a|file:/b c|"},
    {KC_CONF_ROW_user_prefix, {"a b "}, "a b |"},
    {KC_CONF_ROW_headers, {"X-Name", "a b"}, "X-Name|a b|"},
};

START_TEST(a_list_in_quotes_is_a_list)
{
    const char *const *given = lists[_i].given, *seen = "";
    int argc = 0, count, i;

    while (argc < 3 && given[argc])
        argc++;
    given = kc_conf_split(lists[_i].index, argc, given, pool, &count);
    for (i = 0; i < count; i++)
        seen = apr_pstrcat(pool, seen, given[i], "|", NULL);
    ck_assert_str_eq(seen, lists[_i].words);
}
END_TEST

Suite *kc_test_conf(void)
{
    Suite *suite = suite_create("conf");
    TCase *rows = tcase_create("rows");
    TCase *lines = tcase_create("lines");
    TCase *slow = tcase_create("commands");

    tcase_add_checked_fixture(rows, setup, teardown);
    tcase_add_loop_test(rows, every_row_has_its_default, 0, KC_CONF_ROWS);
    tcase_add_loop_test(rows, every_row_can_be_set, 0, KC_CONF_ROWS);
    tcase_add_loop_test(rows, every_row_is_inherited, 0, KC_CONF_ROWS);
    tcase_add_loop_test(rows, every_row_can_be_restored_by_a_child, 0, KC_CONF_ROWS);
    tcase_add_loop_test(rows, every_row_needs_arguments, 0, KC_CONF_ROWS);
    tcase_add_loop_test(rows, the_ranges_of_a_row_hold_its_default, 0, KC_CONF_ROWS);
    tcase_add_loop_test(rows, the_rules_of_a_row_fit_its_type_and_scope, 0, KC_CONF_ROWS);
    tcase_add_loop_test(rows, a_row_with_a_meaning_changes_what_is_hashed, 0, KC_CONF_ROWS);
    tcase_add_loop_test(rows, a_word_that_names_a_file_says_where_its_path_is, 0, KC_CONF_ROWS);
    tcase_add_test(rows, secrets_are_not_dumped);
    tcase_add_test(rows, lists_grow_within_one_server);
    tcase_add_test(rows, a_refused_line_changes_nothing);
    tcase_add_test(rows, a_line_from_nowhere_counts_as_set);
    tcase_add_loop_test(rows, a_list_in_quotes_is_a_list, 0,
                        (int)(sizeof(lists) / sizeof(lists[0])));
    suite_add_tcase(suite, rows);

    tcase_add_checked_fixture(lines, setup, teardown);
    tcase_set_timeout(lines, EXEC_PATIENCE);
    tcase_add_loop_test(lines, wrong_arguments_are_refused, 0,
                        (int)(sizeof(refusals) / sizeof(refusals[0])));
    tcase_add_test(lines, no_acr_stands_beside_none);
    tcase_add_test(lines, wrong_pairs_are_refused);
    tcase_add_test(lines, a_files_first_line_is_the_secret);
    tcase_add_test(lines, files_without_a_secret_are_refused);
    tcase_add_test(lines, files_that_others_reach_are_refused);
    tcase_add_test(lines, a_pipe_does_not_hang_the_start);
    tcase_add_test(lines, the_environment_can_hold_a_secret);
    tcase_add_test(lines, keys_have_32_characters);
    tcase_add_test(lines, names_are_transformed);
    tcase_add_test(lines, of_several_transforms_the_first_that_matches_counts);
    tcase_add_test(lines, nothing_stands_behind_lower);
    tcase_add_loop_test(lines, values_that_are_hardly_meant_are_told, 0,
                        (int)(sizeof(doubts) / sizeof(doubts[0])));
    tcase_add_loop_test(lines, no_link_sets_what_the_sign_in_depends_on, 0,
                        (int)(sizeof(reserved) / sizeof(reserved[0])));
    tcase_add_loop_test(lines, settings_are_checked_together, 0,
                        (int)(sizeof(checks) / sizeof(checks[0])));
    tcase_add_test(lines, files_are_read_at_start);
    tcase_add_loop_test(lines, files_that_nobody_needs_are_not_read, 0, 2);
    suite_add_tcase(suite, lines);

    tcase_add_checked_fixture(slow, setup, teardown);
    tcase_set_timeout(slow, EXEC_PATIENCE);
    tcase_add_test(slow, a_commands_first_line_is_the_secret);
    tcase_add_test(slow, commands_that_fail_are_refused);
    tcase_add_test(slow, a_command_that_hangs_is_ended);
    suite_add_tcase(suite, slow);
    return suite;
}
