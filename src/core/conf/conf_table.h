/* The table of directives: its types, the settings that it makes, and its rows.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_TABLE_H
#define KC_CONF_TABLE_H

#include <apr_file_info.h>
#include <apr_pools.h>
#include <apr_tables.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/conf_choices.h"

/* How the files of this room refuse a setting. */
#define KC_CONF_REFUSE(err, ...) KC_FAIL((err), KC_REFUSED, KC_ERR_CONFIG, __VA_ARGS__)

enum {
    KC_CONF_FILE_MAX = 1024 * 1024, /* bytes */
    KC_CONF_ACR_MAX = 512           /* bytes of KeycloakRequireACR's words, with spaces between */
};

/* The only word of a list that means an empty list. */
#define KC_CONF_NONE "none"

typedef enum {
    KC_CONF_TEXT,     /* one argument, not empty, no control characters */
    KC_CONF_FILE,     /* absolute path of a file, "file:" may precede it; see kc_conf_load */
    KC_CONF_HEADER,   /* a header's name: an RFC 9110 token */
    KC_CONF_URL,      /* absolute http or https URL */
    KC_CONF_ORIGIN,   /* scheme://host[:port] of such a URL, without a slash at its end */
    KC_CONF_BASE,     /* the same with or without a path, to which paths are appended */
    KC_CONF_LOCATION, /* absolute URL, or a path that begins with one slash */
    KC_CONF_PREFIX,   /* a path; a slash is added at its end */
    KC_CONF_FLAG,     /* on, off */
    KC_CONF_SECONDS,  /* duration, bare numbers are seconds; units s m h d */
    KC_CONF_MILLIS,   /* duration, bare numbers are seconds; units ms s m h */
    KC_CONF_SIZE,     /* bytes; units K M G */
    KC_CONF_WORDS,    /* any number of words */
    KC_CONF_ACRS,     /* authentication context classes as WORDS, or none */
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

/* What tells one state of a file from another. */
typedef struct kc_conf_stamp_t {
    apr_dev_t device;
    apr_ino_t inode;
    apr_off_t size;
    apr_time_t modified, changed; /* of its content; of its inode */
} kc_conf_stamp_t;

/* A file that a directive names, or a secret, which may stand in one. */
typedef struct kc_conf_file_t {
    const char *path;      /* NULL: none; of a secret: it was not read from a file */
    const char *text;      /* its content, once it is read (a FILE by kc_conf_load); else NULL */
    kc_conf_stamp_t stamp; /* of the file, when it was read */
} kc_conf_file_t;

/* The C type of each kind of member. */
#define KC_CONF_CTYPE_TEXT const char *
#define KC_CONF_CTYPE_FILE kc_conf_file_t
#define KC_CONF_CTYPE_HEADER const char *
#define KC_CONF_CTYPE_URL const char *
#define KC_CONF_CTYPE_ORIGIN const char *
#define KC_CONF_CTYPE_BASE const char *
#define KC_CONF_CTYPE_LOCATION const char *
#define KC_CONF_CTYPE_PREFIX const char *
#define KC_CONF_CTYPE_FLAG int
#define KC_CONF_CTYPE_SECONDS int64_t
#define KC_CONF_CTYPE_MILLIS int64_t
#define KC_CONF_CTYPE_SIZE int64_t
#define KC_CONF_CTYPE_WORDS const apr_array_header_t * /* of const char *; NULL when not set */
#define KC_CONF_CTYPE_ACRS const apr_array_header_t *  /* of const char *; NULL when not set */
#define KC_CONF_CTYPE_SECRET kc_conf_file_t
#define KC_CONF_CTYPE_KEYFILES const apr_array_header_t * /* of kc_conf_file_t; NULL: none */
#define KC_CONF_CTYPE_CHOICE int /* of conf_choices.h: the index of its word */
#define KC_CONF_CTYPE_PAIRS const apr_array_header_t *     /* of kc_conf_pair_t */
#define KC_CONF_CTYPE_TRANSFORM const apr_array_header_t * /* of kc_transform_t; NULL: none */

/* The rows' numbers: KC_CONF_ROW_issuer … */
typedef enum {
#define KC_CONF(type, member, name, fallback, rules, arguments, help) KC_CONF_ROW_##member,
#define KC_CONF_DIR(type, member, name, fallback, rules, arguments, help) KC_CONF_ROW_##member,
#include "conf/conf.def"
#undef KC_CONF
#undef KC_CONF_DIR
    KC_CONF_ROWS
} kc_conf_index_t;

/* Where a directive was written; file is NULL when it was not. */
typedef struct kc_conf_position_t {
    const char *file;
    int line;
    /* const char *: where each secret of the directive comes from, such as "file:/etc/secret" or
     * "env:NAME"; NULL for other directives. Never a secret. */
    const apr_array_header_t *sources;
} kc_conf_position_t;

/* The settings of one server, immutable after start. Members that were never set have their
 * default. */
typedef struct kc_conf_t {
#define KC_CONF(type, member, name, fallback, rules, arguments, help) KC_CONF_CTYPE_##type member;
#define KC_CONF_DIR(type, member, name, fallback, rules, arguments, help)
#include "conf/conf.def"
#undef KC_CONF
#undef KC_CONF_DIR
    kc_conf_position_t position[KC_CONF_ROWS]; /* explicit set bits: file is not NULL */
} kc_conf_t;

/* The settings of one directory (Location, Directory, .htaccess). */
typedef struct kc_conf_dir_t {
#define KC_CONF(type, member, name, fallback, rules, arguments, help)
#define KC_CONF_DIR(type, member, name, fallback, rules, arguments, help) \
    KC_CONF_CTYPE_##type member;
#include "conf/conf.def"
#undef KC_CONF
#undef KC_CONF_DIR
    kc_conf_position_t position[KC_CONF_ROWS];
} kc_conf_dir_t;

/* The settings that determine what a session means, in the order of the relying party's
 * fingerprint. */
typedef enum {
    KC_CONF_MEANING_NONE,
    KC_CONF_MEANING_REALM,   /* the user's realm: a logout applies to all with the same */
    KC_CONF_MEANING_NAMING,  /* how user names are formed */
    KC_CONF_MEANING_SESSION, /* what else is in a session */
    KC_CONF_MEANING_LATER    /* the same, left out while it is the default: for new directives, so
                                that existing sessions stay valid */
} kc_conf_meaning_t;

/* A range, written as in the configuration. Both ends are included. NULL: no limit. */
typedef struct kc_conf_range_t {
    const char *min, *max;
} kc_conf_range_t;

typedef kc_rc_t (*kc_conf_check_t)(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err);
typedef const char *(*kc_conf_doubt_t)(const kc_conf_t *conf, apr_pool_t *pool);

/* A row of conf.def, whose head explains the rules. Static. */
typedef struct kc_conf_row_t {
    const char *name;
    const char *fallback; /* default as text, or NULL */
    const char *arguments;
    const char *help;
    kc_conf_type_t type;
    int is_directory; /* member of kc_conf_dir_t */
    size_t offset;    /* of the member in its struct */
    kc_conf_range_t range, usual;
    const char *advice; /* for values beyond usual */
    kc_conf_check_t check;
    kc_conf_doubt_t doubt;
    int (*is_needed)(const kc_conf_t *conf); /* NULL: always */
    int is_private;
    int has_certificates;
    int is_live;
    int needs_issuer;
    kc_conf_meaning_t meaning;
} kc_conf_row_t;

/* The functions that the rows name. Each is in the file whose name it has.
 *
 * CHECK: KC_REFUSED with KC_ERR_CONFIG and a detail that completes a sentence, such as "is missing:
 * ...", and tells what to do. DOUBT: a warning at start; NULL: none. NEEDED_IF: 1 when the file
 * will be read. Only at start: files may be read, and the pool is for scratch. */
#define NO_RULE
#define RANGE(min, max)
#define USUAL(min, max, text)
#define CHECK(function) kc_rc_t function(const kc_conf_t *conf, apr_pool_t *pool, kc_err_t *err);
#define DOUBT(function) const char *function(const kc_conf_t *conf, apr_pool_t *pool);
#define NEEDED_IF(function) int function(const kc_conf_t *conf);
#define PRIVATE
#define CERTIFICATES
#define LIVE
#define MEANING(part)
#define NEEDS_ISSUER
#define KC_CONF(type, member, name, fallback, rules, arguments, help) rules
#define KC_CONF_DIR(type, member, name, fallback, rules, arguments, help) rules
#include "conf/conf.def"
#undef NO_RULE
#undef RANGE
#undef USUAL
#undef CHECK
#undef DOUBT
#undef NEEDED_IF
#undef PRIVATE
#undef CERTIFICATES
#undef LIVE
#undef MEANING
#undef NEEDS_ISSUER
#undef KC_CONF
#undef KC_CONF_DIR

/* The row of a directive; NULL for an unknown number. Thread safe. */
const kc_conf_row_t *kc_conf_table_row(kc_conf_index_t index);
/* The file of a row of type FILE, when it is named and needed; else NULL. */
const kc_conf_file_t *kc_conf_table_file(const kc_conf_t *conf, const kc_conf_row_t *row);
/* 1 when the directive was written for this conf (or inherited by merge). */
int kc_conf_table_is_set(const kc_conf_t *conf, kc_conf_index_t index);
/* 1 when KeycloakAlgorithms has this signature algorithm. Thread safe. */
int kc_conf_table_is_allowed(const kc_conf_t *conf, const char *algorithm);

#endif
