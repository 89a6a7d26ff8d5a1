/* Shared by the files of the room conf; included only by them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CONF_PARSE_H
#define KC_CONF_PARSE_H

#include "conf/conf_table.h"

/* One directive as written. */
typedef struct kc_conf_input_t {
    kc_conf_index_t index;
    int argc;
    const char *const *argv;
    int is_again; /* the same conf has it already: lists append */
    apr_pool_t *pool;
} kc_conf_input_t;

/* Parses the arguments by the row's type and stores them in member. On failure member is not
 * changed. */
kc_rc_t kc_conf_parse_value(const kc_conf_input_t *input, void *member, kc_err_t *err);
/* Bytes of a member of this type. */
size_t kc_conf_parse_size(kc_conf_type_t type);
/* 1 when a default, or the text of another line, has several arguments. */
int kc_conf_parse_is_list(kc_conf_type_t type);
/* 1 when the directive takes any number of words, separated by blanks. */
int kc_conf_parse_is_words(kc_conf_type_t type);
/* 1 when text is an RFC 9110 token. */
int kc_conf_parse_is_token(const char *text);
/* The member as readable text. */
const char *kc_conf_parse_dump(kc_conf_index_t index, const void *member, apr_pool_t *pool);

#endif
