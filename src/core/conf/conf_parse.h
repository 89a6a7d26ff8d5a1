/* Inside the room conf: what its files share. Nobody else includes this.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_PARSE_H
#define KC_CONF_PARSE_H

#include "conf/conf_table.h"

/* One directive as written. */
typedef struct kc_conf_input_t {
    kc_conf_index_t index;
    int argc;
    const char *const *argv;
    int is_again; /* the same conf had it already: lists append */
    apr_pool_t *pool;
} kc_conf_input_t;

/* Parses the arguments as the row's type says and stores them in member, which stays as it was on
 * failure. */
kc_rc_t kc_conf_parse_value(const kc_conf_input_t *input, void *member, kc_err_t *err);
/* Bytes of a member of this type. */
size_t kc_conf_parse_size(kc_conf_type_t type);
/* Whether a default or another line's text consists of several arguments. */
int kc_conf_parse_is_list(kc_conf_type_t type);
/* Whether the directive takes any number of words, which blanks part. */
int kc_conf_parse_is_words(kc_conf_type_t type);
/* 1 when text is an RFC 9110 token. */
int kc_conf_parse_is_token(const char *text);
/* The member as text, to be read by people. */
const char *kc_conf_parse_dump(kc_conf_index_t index, const void *member, apr_pool_t *pool);

#endif
