/* One parser and one printer for each type of directive.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_parse.h"

#include <string.h>
#include <strings.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/path.h"
#include "base/url.h"
#include "conf/conf_number.h"
#include "conf/conf_secret.h"
#include "conf/transform.h"
#include "crypto/crypto.h"
#include "crypto/seal.h"

enum { KEY_LEN_MIN = 32 /* characters of a KeycloakCryptoKey */ };

typedef kc_rc_t (*parse_fn)(const kc_conf_input_t *input, void *member, kc_err_t *err);

static int is_plain(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (apr_iscntrl(*c))
            return 0;
    }
    return *text != '\0';
}

int kc_conf_parse_is_token(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (!apr_isascii(*c) || (!apr_isalnum(*c) && !strchr("!#$%&'*+-.^_`|~", *c)))
            return 0;
    }
    return *text != '\0';
}

static kc_rc_t parse_text(const kc_conf_input_t *input, void *member, kc_err_t *err)
{
    const char *text = input->argv[0];

    if (!is_plain(text))
        return KC_CONF_REFUSE(err, "takes text that is not empty and has no control character");
    *(const char **)member = apr_pstrdup(input->pool, text);
    return KC_OK;
}

static kc_rc_t parse_file(const kc_conf_input_t *input, void *member, kc_err_t *err)
{
    const char *path = "";
    kc_rc_t rc = parse_text(input, &path, err);

    if (rc != KC_OK)
        return rc;
    if (!strncmp(path, "file:", 5))
        path += 5;
    if (*path != '/')
        return KC_CONF_REFUSE(err, "needs an absolute path of a file, not '%.120s'", path);
    ((kc_conf_file_t *)member)->path = path;
    return KC_OK;
}

static kc_rc_t parse_header(const kc_conf_input_t *input, void *member, kc_err_t *err)
{
    if (!kc_conf_parse_is_token(input->argv[0]))
        return KC_CONF_REFUSE(err, "takes a header's name (letters, digits, hyphens), not '%.120s'",
                              input->argv[0]);
    *(const char **)member = apr_pstrdup(input->pool, input->argv[0]);
    return KC_OK;
}

/* ---------------------------------------------------------------- addresses */

static kc_rc_t read_url(const kc_conf_input_t *input, kc_url_t *url, kc_err_t *err)
{
    kc_err_t why = {0};

    if (kc_url_parse(input->argv[0], input->pool, url, &why) != KC_OK)
        return KC_CONF_REFUSE(err, "takes a whole URL such as https://host.example.com: %.150s",
                              why.detail);
    return KC_OK;
}

static kc_rc_t parse_url(const kc_conf_input_t *input, void *member, kc_err_t *err)
{
    kc_url_t url;
    kc_rc_t rc = read_url(input, &url, err);

    if (rc == KC_OK)
        *(const char **)member = apr_pstrdup(input->pool, input->argv[0]);
    return rc;
}

static kc_rc_t parse_origin(const kc_conf_input_t *input, void *member, kc_err_t *err)
{
    kc_url_t url;
    kc_rc_t rc = read_url(input, &url, err);

    if (rc != KC_OK)
        return rc;
    if (url.query || strcmp(url.path, "/") != 0)
        return KC_CONF_REFUSE(err, "takes scheme://host[:port] without a path, not '%.120s'",
                              input->argv[0]);
    *(const char **)member = kc_url_origin(&url, input->pool);
    return KC_OK;
}

/* Kept in one spelling, so that a path can be appended. */
static kc_rc_t parse_base(const kc_conf_input_t *input, void *member, kc_err_t *err)
{
    kc_url_t url;
    size_t len;
    kc_rc_t rc = read_url(input, &url, err);

    if (rc != KC_OK)
        return rc;
    if (url.query)
        return KC_CONF_REFUSE(err, "takes scheme://host[:port] without a query, not '%.120s'",
                              input->argv[0]);
    len = strlen(url.path);
    while (len > 0 && url.path[len - 1] == '/')
        len--;
    *(const char **)member = apr_pstrcat(input->pool, kc_url_origin(&url, input->pool),
                                         kc_buf_copy(url.path, len, input->pool), NULL);
    return KC_OK;
}

static kc_rc_t parse_location(const kc_conf_input_t *input, void *member, kc_err_t *err)
{
    const char *text = input->argv[0];

    if (*text != '/')
        return parse_url(input, member, err);
    if (strcmp(kc_url_return(text, NULL, NULL, input->pool), text) != 0 ||
        kc_path_has_dot_segment(text))
        return KC_CONF_REFUSE(err,
                              "takes a URL, or a path that begins with one slash and has neither "
                              "backslashes, '..' nor a fragment; not '%.100s'",
                              text);
    *(const char **)member = apr_pstrdup(input->pool, text);
    return KC_OK;
}

/* Only characters that all servers read in the same way. */
static int is_prefix(const char *text)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "-._~/";

    return text[0] == '/' && text[1] && !text[strspn(text, plain)] && !strstr(text, "//") &&
           !kc_path_has_dot_segment(text);
}

static kc_rc_t parse_prefix(const kc_conf_input_t *input, void *member, kc_err_t *err)
{
    const char *text = input->argv[0];

    if (!is_prefix(text))
        return KC_CONF_REFUSE(err,
                              "takes a path such as /authservice/ of letters, digits and - . _ ~, "
                              "not '%.100s'",
                              text);
    *(const char **)member =
        apr_pstrcat(input->pool, text, text[strlen(text) - 1] == '/' ? NULL : "/", NULL);
    return KC_OK;
}

/* ---------------------------------------------------------------- flags and numbers */

static kc_rc_t parse_flag(const kc_conf_input_t *input, void *member, kc_err_t *err)
{
    int is_on = !strcasecmp(input->argv[0], "on");

    if (!is_on && strcasecmp(input->argv[0], "off") != 0)
        return KC_CONF_REFUSE(err, "takes on or off, not '%.120s'", input->argv[0]);
    *(int *)member = is_on;
    return KC_OK;
}

static kc_rc_t parse_number(const kc_conf_input_t *input, void *member, kc_err_t *err)
{
    return kc_conf_number_parse(kc_conf_table_row(input->index), input->argv[0], member, err);
}

/* ---------------------------------------------------------------- lists */

static apr_array_header_t *fresh_list(const kc_conf_input_t *input, int element_size)
{
    return apr_array_make(input->pool, input->argc, element_size);
}

/* Earlier words stay in front. The earlier array is not changed, because a merged conf may share
 * it. */
static void store_list(const kc_conf_input_t *input, const apr_array_header_t *fresh, void *member)
{
    const apr_array_header_t **list = member;

    *list = input->is_again && *list ? apr_array_append(input->pool, *list, fresh) : fresh;
}

/* They are sent in headers and, with spaces between, in URLs and cookies. */
static kc_rc_t check_acrs(const apr_array_header_t *words, kc_err_t *err)
{
    size_t size = 0;

    for (int i = 0; i < words->nelts; i++) {
        const char *word = APR_ARRAY_IDX(words, i, const char *);

        for (const char *c = word; *c; c++) {
            if (!apr_isascii(*c) || !apr_isgraph(*c) || *c == '"' || *c == '\\')
                return KC_CONF_REFUSE(err,
                                      "takes ACRs of visible ASCII characters without \" and "
                                      "backslash, not '%.100s'",
                                      word);
        }
        if (!strcmp(word, KC_CONF_NONE) && words->nelts > 1)
            return KC_CONF_REFUSE(err, "takes " KC_CONF_NONE " alone, or ACRs");
        size += strlen(word) + 1;
    }
    if (size > KC_CONF_ACR_MAX + 1)
        return KC_CONF_REFUSE(err, "takes ACRs of %d characters together", KC_CONF_ACR_MAX);
    return KC_OK;
}

static kc_rc_t parse_words(const kc_conf_input_t *input, void *member, kc_err_t *err)
{
    apr_array_header_t *words = fresh_list(input, (int)sizeof(const char *));

    for (int i = 0; i < input->argc; i++) {
        if (!is_plain(input->argv[i]))
            return KC_CONF_REFUSE(err, "takes words that are not empty and have no control "
                                       "character");
        APR_ARRAY_PUSH(words, const char *) = apr_pstrdup(input->pool, input->argv[i]);
    }
    store_list(input, words, member);
    return KC_OK;
}

static kc_rc_t parse_acrs(const kc_conf_input_t *input, void *member, kc_err_t *err)
{
    kc_rc_t rc = parse_words(input, member, err);

    return rc == KC_OK ? check_acrs(*(const apr_array_header_t **)member, err) : rc;
}

/* The only row of this type is KeycloakHeader, so the first word is a header's name. */
static kc_rc_t parse_pairs(const kc_conf_input_t *input, void *member, kc_err_t *err)
{
    apr_array_header_t *pairs = fresh_list(input, (int)sizeof(kc_conf_pair_t));
    kc_conf_pair_t *pair = apr_array_push(pairs);

    if (!kc_conf_parse_is_token(input->argv[0]))
        return KC_CONF_REFUSE(err, "takes a header's name (letters, digits, hyphens), not '%.120s'",
                              input->argv[0]);
    if (!is_plain(input->argv[1]))
        return KC_CONF_REFUSE(err, "needs the path of a claim behind the header's name");
    pair->name = apr_pstrdup(input->pool, input->argv[0]);
    pair->value = apr_pstrdup(input->pool, input->argv[1]);
    store_list(input, pairs, member);
    return KC_OK;
}

/* ---------------------------------------------------------------- secrets */

static kc_rc_t parse_secret(const kc_conf_input_t *input, void *member, kc_err_t *err)
{
    return kc_conf_secret_read(input->argv[0], KC_CONF_SECRET_LITERAL | KC_CONF_SECRET_EXEC,
                               input->pool, member, err);
}

static kc_rc_t parse_keyfiles(const kc_conf_input_t *input, void *member, kc_err_t *err)
{
    apr_array_header_t *keys = fresh_list(input, (int)sizeof(kc_conf_file_t));
    const apr_array_header_t **list = member;

    for (int i = 0; i < input->argc; i++) {
        kc_conf_file_t key;
        kc_rc_t rc = kc_conf_secret_read(input->argv[i], 0, input->pool, &key, err);

        if (rc != KC_OK)
            return rc;
        if (strlen(key.text) < KEY_LEN_MIN)
            return KC_CONF_REFUSE(err,
                                  "%.80s has a key of fewer than %d characters; make one with: "
                                  "openssl rand -base64 48",
                                  input->argv[i], KEY_LEN_MIN);
        APR_ARRAY_PUSH(keys, kc_conf_file_t) = key;
    }
    store_list(input, keys, member);
    if ((*list)->nelts > KC_SEAL_KEYS_MAX)
        return KC_CONF_REFUSE(err, "takes up to %d keys, not %d: leave out the oldest",
                              (int)KC_SEAL_KEYS_MAX, (*list)->nelts);
    return KC_OK;
}

/* ---------------------------------------------------------------- choices and transforms */

/* The words of a choice are the row's arguments, separated by bars. NULL after the last. */
static const char *choice_word(const char *arguments, int number, size_t *len)
{
    for (;; number--) {
        *len = strcspn(arguments, "|");
        if (number == 0)
            return arguments;
        if (!arguments[*len])
            return NULL;
        arguments += *len + 1;
    }
}

static kc_rc_t parse_choice(const kc_conf_input_t *input, void *member, kc_err_t *err)
{
    const char *arguments = kc_conf_table_row(input->index)->arguments;
    const char *text = input->argv[0];
    const char *word;
    size_t len;

    for (int i = 0; (word = choice_word(arguments, i, &len)) != NULL; i++) {
        if (strlen(text) == len && !strncasecmp(text, word, len)) {
            *(int *)member = i;
            return KC_OK;
        }
    }
    return KC_CONF_REFUSE(err, "takes one of %.150s, not '%.60s'", arguments, text);
}

/* A line after one that matches every name would never be applied. */
static kc_rc_t parse_transform(const kc_conf_input_t *input, void *member, kc_err_t *err)
{
    const apr_array_header_t **list = member;
    apr_array_header_t *fresh = apr_array_make(input->pool, 1, (int)sizeof(kc_transform_t));
    kc_rc_t rc;

    if (input->is_again && kc_transform_is_complete(*list))
        return KC_CONF_REFUSE(err, "stands behind \"lower\", which every name matches: make that "
                                   "the last line");
    rc = kc_transform_make(input->argc, input->argv, input->pool, apr_array_push(fresh), err);
    store_list(input, fresh, member);
    return rc;
}

/* ---------------------------------------------------------------- the table of types */

static const struct {
    parse_fn parse;
    size_t size;
    int argc_min, argc_max;
} types[] = {
    [KC_CONF_TEXT] = {parse_text, sizeof(KC_CONF_CTYPE_TEXT), 1, 1},
    [KC_CONF_FILE] = {parse_file, sizeof(KC_CONF_CTYPE_FILE), 1, 1},
    [KC_CONF_HEADER] = {parse_header, sizeof(KC_CONF_CTYPE_HEADER), 1, 1},
    [KC_CONF_URL] = {parse_url, sizeof(KC_CONF_CTYPE_URL), 1, 1},
    [KC_CONF_ORIGIN] = {parse_origin, sizeof(KC_CONF_CTYPE_ORIGIN), 1, 1},
    [KC_CONF_BASE] = {parse_base, sizeof(KC_CONF_CTYPE_BASE), 1, 1},
    [KC_CONF_LOCATION] = {parse_location, sizeof(KC_CONF_CTYPE_LOCATION), 1, 1},
    [KC_CONF_PREFIX] = {parse_prefix, sizeof(KC_CONF_CTYPE_PREFIX), 1, 1},
    [KC_CONF_FLAG] = {parse_flag, sizeof(KC_CONF_CTYPE_FLAG), 1, 1},
    [KC_CONF_SECONDS] = {parse_number, sizeof(KC_CONF_CTYPE_SECONDS), 1, 1},
    [KC_CONF_MILLIS] = {parse_number, sizeof(KC_CONF_CTYPE_MILLIS), 1, 1},
    [KC_CONF_SIZE] = {parse_number, sizeof(KC_CONF_CTYPE_SIZE), 1, 1},
    [KC_CONF_WORDS] = {parse_words, sizeof(KC_CONF_CTYPE_WORDS), 1, 1000},
    [KC_CONF_ACRS] = {parse_acrs, sizeof(KC_CONF_CTYPE_ACRS), 1, 1000},
    [KC_CONF_SECRET] = {parse_secret, sizeof(KC_CONF_CTYPE_SECRET), 1, 1},
    [KC_CONF_KEYFILES] = {parse_keyfiles, sizeof(KC_CONF_CTYPE_KEYFILES), 1, 16},
    [KC_CONF_CHOICE] = {parse_choice, sizeof(KC_CONF_CTYPE_CHOICE), 1, 1},
    [KC_CONF_PAIRS] = {parse_pairs, sizeof(KC_CONF_CTYPE_PAIRS), 2, 2},
    [KC_CONF_TRANSFORM] = {parse_transform, sizeof(KC_CONF_CTYPE_TRANSFORM), 1, 2},
};

size_t kc_conf_parse_size(kc_conf_type_t type)
{
    return types[type].size;
}

int kc_conf_parse_is_list(kc_conf_type_t type)
{
    return kc_conf_parse_is_words(type) || type == KC_CONF_PAIRS;
}

int kc_conf_parse_is_words(kc_conf_type_t type)
{
    return type == KC_CONF_WORDS || type == KC_CONF_ACRS || type == KC_CONF_KEYFILES;
}

kc_rc_t kc_conf_parse_value(const kc_conf_input_t *input, void *member, kc_err_t *err)
{
    const kc_conf_row_t *row = kc_conf_table_row(input->index);
    /* Space for the largest member. The real one changes only when the whole line is right. */
    union {
        const void *pointer;
        int64_t number;
        kc_conf_file_t file;
    } value;
    kc_rc_t rc;

    if (input->argc < types[row->type].argc_min || input->argc > types[row->type].argc_max)
        return KC_CONF_REFUSE(err, "takes %.120s, not %d arguments", row->arguments, input->argc);
    memcpy(&value, member, types[row->type].size);
    rc = types[row->type].parse(input, &value, err);
    if (rc == KC_OK)
        memcpy(member, &value, types[row->type].size);
    return rc;
}

/* ---------------------------------------------------------------- printers */

static const char *dump_words(const apr_array_header_t *words, apr_pool_t *pool)
{
    return words ? apr_array_pstrcat(pool, words, ' ') : NULL;
}

static const char *dump_pairs(const apr_array_header_t *pairs, apr_pool_t *pool)
{
    const char *out = NULL;

    for (int i = 0; pairs && i < pairs->nelts; i++) {
        const kc_conf_pair_t *pair = &APR_ARRAY_IDX(pairs, i, kc_conf_pair_t);

        out =
            apr_pstrcat(pool, out ? out : "", out ? ", " : "", pair->name, " ", pair->value, NULL);
    }
    return out;
}

static const char *dump_choice(const kc_conf_row_t *row, int value, apr_pool_t *pool)
{
    size_t len;
    const char *word = choice_word(row->arguments, value, &len);

    return word ? kc_buf_copy(word, len, pool) : NULL;
}

static const char *dump_any(const kc_conf_row_t *row, const void *member, apr_pool_t *pool)
{
    switch (row->type) {
    case KC_CONF_FLAG:
        return *(const int *)member ? "on" : "off";
    case KC_CONF_SECONDS:
    case KC_CONF_MILLIS:
    case KC_CONF_SIZE:
        return kc_conf_number_dump(row->type, *(const int64_t *)member, pool);
    case KC_CONF_WORDS:
    case KC_CONF_ACRS:
        return dump_words(*(const apr_array_header_t *const *)member, pool);
    case KC_CONF_PAIRS:
        return dump_pairs(*(const apr_array_header_t *const *)member, pool);
    case KC_CONF_CHOICE:
        return dump_choice(row, *(const int *)member, pool);
    case KC_CONF_TRANSFORM:
        return kc_transform_dump(*(const apr_array_header_t *const *)member, pool);
    case KC_CONF_SECRET:
        return ((const kc_conf_file_t *)member)->text ? "(set)" : NULL;
    case KC_CONF_KEYFILES:
        return *(const void *const *)member ? "(set)" : NULL;
    case KC_CONF_FILE:
        return ((const kc_conf_file_t *)member)->path;
    default:
        return *(const char *const *)member;
    }
}

const char *kc_conf_parse_dump(kc_conf_index_t index, const void *member, apr_pool_t *pool)
{
    const char *text = dump_any(kc_conf_table_row(index), member, pool);

    return text ? text : "(not set)";
}
