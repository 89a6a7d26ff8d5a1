/* Lists of texts inside a session.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session_list.h"

#include <string.h>

int kc_session_list_walk(const kc_session_list_t *list, kc_bytes_t *at)
{
    const unsigned char *begin = (const unsigned char *)list->text, *next, *end;
    size_t before = at->data ? (size_t)(at->data - begin) + at->len + 1 : 0;

    if (before >= list->size)
        return 0;
    next = begin + before;
    end = memchr(next, list->separator, list->size - before);
    if (!end) /* the last text of a list with commas */
        end = begin + list->size - 1;
    at->data = next;
    at->len = (size_t)(end - next);
    return 1;
}

const char *kc_session_list_next(const kc_session_list_t *list, const char *at)
{
    const char *next = at ? at + strlen(at) + 1 : list->text;

    return list->size && next < list->text + list->size ? next : NULL;
}

kc_session_list_t kc_session_list_make(const apr_array_header_t *texts, apr_pool_t *pool)
{
    kc_session_list_t list = {"", 0, '\0'};
    char *text;
    int i;

    for (i = 0; texts && i < texts->nelts; i++)
        list.size += strlen(APR_ARRAY_IDX(texts, i, const char *)) + 1;
    if (!list.size)
        return list;
    list.text = text = apr_palloc(pool, list.size);
    for (i = 0; i < texts->nelts; i++) {
        size_t len = strlen(APR_ARRAY_IDX(texts, i, const char *)) + 1;

        memcpy(text, APR_ARRAY_IDX(texts, i, const char *), len);
        text += len;
    }
    return list;
}
