/* Claims: the checks of their texts, and the merge of userinfo's claims.
 * SPDX-License-Identifier: Apache-2.0 */
#include "provider/claims.h"

#include <apr_strings.h>
#include <string.h>
#include <strings.h>

/* C0, DEL, and C1 (U+0080 to U+009F, in UTF-8 two bytes). */
int kc_claims_has_control(const char *text)
{
    const unsigned char *at;

    for (at = (const unsigned char *)text; *at; at++) {
        if (*at < 0x20 || *at == 0x7f || (at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f))
            return 1;
    }
    return 0;
}

int kc_claims_is_id_text(const char *text)
{
    return text && *text && strlen(text) <= KC_CLAIMS_TEXT_MAX && !kc_claims_has_control(text);
}

/* Recipients trim spaces at the ends, which would turn " admin" into "admin". */
int kc_claims_is_header_text(const char *text)
{
    size_t len = strlen(text);

    return !len || (!kc_claims_has_control(text) && text[0] != ' ' && text[len - 1] != ' ');
}

typedef struct {
    kc_json_t *object;
    const char *skipped;
} merge_t;

static void put_member(void *context, const char *name, const kc_json_t *value)
{
    merge_t *merge = context;

    if (kc_json_type(value) != KC_JSON_NULL &&
        (!merge->skipped || strcmp(name, merge->skipped) != 0))
        kc_json_set_value(merge->object, name, value);
}

/* 1 when both have an e-mail address, and the addresses differ. */
static int is_email_another(const kc_json_t *id_token, const kc_json_t *userinfo)
{
    const char *ours = kc_json_member_string(id_token, "email");
    const char *theirs = kc_json_member_string(userinfo, "email");

    return ours && theirs && strcmp(ours, theirs) != 0;
}

const kc_json_t *kc_claims_merge_userinfo(const kc_json_t *id_token, const kc_json_t *userinfo,
                                          apr_pool_t *pool)
{
    merge_t merge;

    merge.object = kc_json_new_object(pool);
    /* That one address is verified says nothing about another. */
    merge.skipped = is_email_another(id_token, userinfo) ? "email_verified" : NULL;
    kc_json_each(userinfo, put_member, &merge);
    merge.skipped = NULL;
    kc_json_each(id_token, put_member, &merge);
    return merge.object;
}
