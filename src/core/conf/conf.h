/* Settings: the directive table made into a struct, with parsing, merging, checking and dumping.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_H
#define KC_CONF_H

#include <apr_pools.h>
#include <apr_tables.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    KC_CONF_FILE_MAX = 1024 * 1024, /* bytes */
    KC_CONF_ACR_MAX = 512           /* bytes of KeycloakRequireACR's words, with spaces between */
};

/* The sole word of lists that may be empty. */
#define KC_CONF_NONE "none"

typedef enum {
    KC_CONF_TEXT,     /* one argument, not empty, no control characters */
    KC_CONF_HEADER,   /* a header's name: an RFC 9110 token */
    KC_CONF_URL,      /* absolute http or https URL */
    KC_CONF_LOCATION, /* absolute URL, or a path that begins with one slash */
    KC_CONF_PREFIX,   /* a path; a slash is added at its end */
    KC_CONF_FLAG,     /* on, off */
    KC_CONF_SECONDS,  /* duration, bare numbers are seconds; units s m h d */
    KC_CONF_MILLIS,   /* duration, bare numbers are seconds; units ms s m h */
    KC_CONF_SIZE,     /* bytes; units K M G */
    KC_CONF_WORDS,    /* any number of words */
    KC_CONF_SECRET,   /* value, file:, env:, exec: — resolved when it is set, never dumped */
    KC_CONF_KEYFILES, /* file:PATH …; each resolved when set, never dumped */
    KC_CONF_CHOICE,   /* one of the words of the row's arguments */
    KC_CONF_PAIRS,    /* two words, appended on repetition */
    KC_CONF_TRANSFORM /* lower, or expression and replacement; appended on repetition */
} kc_conf_type_t;

typedef struct kc_conf_pair_t {
    const char *name;
    const char *value;
} kc_conf_pair_t;

/* The C type of each kind of member. */
#define KC_CONF_CTYPE_TEXT const char *
#define KC_CONF_CTYPE_HEADER const char *
#define KC_CONF_CTYPE_URL const char *
#define KC_CONF_CTYPE_LOCATION const char *
#define KC_CONF_CTYPE_PREFIX const char *
#define KC_CONF_CTYPE_FLAG int
#define KC_CONF_CTYPE_SECONDS int64_t
#define KC_CONF_CTYPE_MILLIS int64_t
#define KC_CONF_CTYPE_SIZE int64_t
#define KC_CONF_CTYPE_WORDS const apr_array_header_t * /* of const char *; NULL when not set */
#define KC_CONF_CTYPE_SECRET const char *
#define KC_CONF_CTYPE_KEYFILES \
    const apr_array_header_t *   /* of const char *: the secrets themselves */
#define KC_CONF_CTYPE_CHOICE int /* index of the word in the row's arguments */
#define KC_CONF_CTYPE_PAIRS const apr_array_header_t *     /* of kc_conf_pair_t */
#define KC_CONF_CTYPE_TRANSFORM const apr_array_header_t * /* of kc_transform_t; NULL: none */

/* The rows' numbers: KC_CONF_ROW_issuer … */
typedef enum {
#define KC_CONF(type, member, name, fallback, arguments, help) KC_CONF_ROW_##member,
#define KC_CONF_DIR(type, member, name, fallback, arguments, help) KC_CONF_ROW_##member,
#include "conf/conf.def"
#undef KC_CONF
#undef KC_CONF_DIR
    KC_CONF_ROWS
} kc_conf_index_t;

/* Where a directive was written; file is NULL when it was not. */
typedef struct kc_conf_place_t {
    const char *file;
    int line;
} kc_conf_place_t;

/* The settings of one server, immutable after start. Members that were never set hold their
 * default. */
typedef struct kc_conf_t {
#define KC_CONF(type, member, name, fallback, arguments, help) KC_CONF_CTYPE_##type member;
#define KC_CONF_DIR(type, member, name, fallback, arguments, help)
#include "conf/conf.def"
#undef KC_CONF
#undef KC_CONF_DIR
    kc_conf_place_t place[KC_CONF_ROWS]; /* explicit set bits: file is not NULL */
    /* What kc_conf_load has read of the files that ca_file, client_cert and client_key name; else
     * NULL.
     */
    const char *ca_pem;
    const char *client_cert_pem;
    const char *client_key_text; /* PEM or JWK */
} kc_conf_t;

/* The settings of one directory (Location, Directory, .htaccess). */
typedef struct kc_conf_dir_t {
#define KC_CONF(type, member, name, fallback, arguments, help)
#define KC_CONF_DIR(type, member, name, fallback, arguments, help) KC_CONF_CTYPE_##type member;
#include "conf/conf.def"
#undef KC_CONF
#undef KC_CONF_DIR
    kc_conf_place_t place[KC_CONF_ROWS];
} kc_conf_dir_t;

/* Values of the CHOICE members, in the order of the rows' words. */
enum {
    KC_AUTH_BASIC,
    KC_AUTH_POST,
    KC_AUTH_SECRET_JWT,
    KC_AUTH_PRIVATE_KEY_JWT,
    KC_AUTH_TLS,
    KC_AUTH_NONE
};
enum { KC_CLIENT_HS256, KC_CLIENT_HS384, KC_CLIENT_HS512 };
enum { KC_BEARER_OFF, KC_BEARER_ON, KC_BEARER_ACCESS, KC_BEARER_ID };
enum { KC_USER_INFO_AUTO, KC_USER_INFO_ON, KC_USER_INFO_OFF };
enum { KC_SAME_SITE_LAX, KC_SAME_SITE_STRICT, KC_SAME_SITE_NONE };
enum { KC_JUDGE_ENVOY, KC_JUDGE_NGINX, KC_JUDGE_FORWARDED };
enum { KC_FRONT_SESSION_REQUIRED, KC_FRONT_SESSION_OPTIONAL };
enum { KC_UNAUTH_AUTO, KC_UNAUTH_LOGIN, KC_UNAUTH_401, KC_UNAUTH_PASS };

/* What the glue needs to register a directive. Static. */
typedef struct kc_conf_row_t {
    const char *name;
    const char *fallback; /* default as text, or NULL */
    const char *arguments;
    const char *help;
    kc_conf_type_t type;
    int is_directory; /* lives in kc_conf_dir_t */
    size_t offset;    /* of the member in its struct */
} kc_conf_row_t;

/* The row of a directive; NULL for a number that is none. Thread safe. */
const kc_conf_row_t *kc_conf_row(kc_conf_index_t index);

/* New settings with every default. At start only, like everything below but lookups. */
kc_conf_t *kc_conf_create(apr_pool_t *pool);
kc_conf_dir_t *kc_conf_dir_create(apr_pool_t *pool);
/* The words of a line as the directive takes them: a list may be written in quotes, in whole or in
 * parts ("openid email"). Files' names may have blanks themselves, so those of a list are parted
 * where "file:" follows. *count is how many there are; empty words are kept, and refused later. In
 * pool. */
const char *const *kc_conf_split(kc_conf_index_t index, int argc, const char *const argv[],
                                 apr_pool_t *pool, int *count);
/* Sets one member. conf is a kc_conf_t, or a kc_conf_dir_t when the row is a directory's. WORDS,
 * PAIRS and TRANSFORM append when they were set before in the same conf; all others overwrite.
 * KC_REFUSED with KC_ERR_CONFIG and a detail that an administrator can act on, such as "takes a
 * duration such as 30s, 5m or 10h, not '12 parsecs'" (the directive's name is added by the glue);
 * never a secret in it. On failure the member stays as it was. Files must have absolute paths
 * ("file:" may stand before any of them). KeycloakPublicURL and KeycloakBackchannelURL are kept as
 * kc_url_origin gives them: no slash at the end. file: "-" is kept when it is NULL. */
kc_rc_t kc_conf_set(void *conf, kc_conf_index_t index, int argc, const char *const *argv,
                    const char *file, int line, apr_pool_t *pool, kc_err_t *err);
/* A member set in add wins over base; defaults never do. */
kc_conf_t *kc_conf_merge(const kc_conf_t *base, const kc_conf_t *add, apr_pool_t *pool);
kc_conf_dir_t *kc_conf_dir_merge(const kc_conf_dir_t *base, const kc_conf_dir_t *add,
                                 apr_pool_t *pool);
/* 1 when the directive was written for this conf (or inherited by merge). */
int kc_conf_is_set(const kc_conf_t *conf, kc_conf_index_t index);
/* 1 when KeycloakAlgorithms has this signature algorithm. Thread safe. */
int kc_conf_is_allowed(const kc_conf_t *conf, const char *algorithm);
/* What no single directive can know: client id and secret are there (as client_auth needs), http
 * only with consent (issuer, backchannel; loopback needs none), __Host- names, keys of 32
 * characters, algorithms known and asymmetric, redirect URI consistent with the public URL,
 * memcached servers well-formed, … KC_REFUSED names in *index the row to blame (its place may be
 * unset) and tells in err what to do. Does nothing when no issuer is set. */
kc_rc_t kc_conf_check(const kc_conf_t *conf, kc_conf_index_t *index, apr_pool_t *pool,
                      kc_err_t *err);
/* Reads the files that the settings name and client_auth needs (up to KC_CONF_FILE_MAX bytes each),
 * while the server still is root: its children may not be able to. KC_REFUSED names in *index the
 * row to blame. */
kc_rc_t kc_conf_load(kc_conf_t *conf, kc_conf_index_t *index, apr_pool_t *pool, kc_err_t *err);

/* The setting as text for a dump; secrets as "(set)", what is neither set nor has a default as
 * "(not set)". */
const char *kc_conf_dump(const kc_conf_t *conf, kc_conf_index_t index, apr_pool_t *pool);
/* A header's name as CGI and many backends know it: letters and digits alone, in lower case. */
const char *kc_conf_fold(const char *name, apr_pool_t *pool);

#endif
