/* W3C Trace Context: the headers traceparent and tracestate.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/trace_context.h"

#include <string.h>

#include "base/buf.h"

enum { VERSION_AT = 0, ID_AT = 3, SPAN_AT = 36, FLAGS_AT = 53, SAMPLED = 1 };

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 1 for len lower-case hexadecimal digits; a NUL is none. */
static int is_hex(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (digit(text[i]) < 0)
            return 0;
    }
    return 1;
}

static int is_zero(const char *text, size_t len)
{
    return strspn(text, "0") >= len;
}

/* The parts are read in their order, so that nothing behind the closing NUL is. */
static int is_sound(const char *text)
{
    if (!is_hex(text + VERSION_AT, 2) || text[ID_AT - 1] != '-' ||
        !is_hex(text + ID_AT, KC_TRACE_CONTEXT_ID) || text[SPAN_AT - 1] != '-' ||
        !is_hex(text + SPAN_AT, KC_TRACE_CONTEXT_SPAN) || text[FLAGS_AT - 1] != '-' ||
        !is_hex(text + FLAGS_AT, 2))
        return 0;
    if (strncmp(text, "ff", 2) == 0 || is_zero(text + ID_AT, KC_TRACE_CONTEXT_ID) ||
        is_zero(text + SPAN_AT, KC_TRACE_CONTEXT_SPAN))
        return 0;
    return !text[KC_TRACE_CONTEXT_HEADER] ||
           (strncmp(text, "00", 2) != 0 && text[KC_TRACE_CONTEXT_HEADER] == '-');
}

/* An id of zeros only means "none". */
static void put_id(const unsigned char *random, size_t size, char *out)
{
    kc_buf_hex_to(random, size, out);
    if (is_zero(out, 2 * size))
        out[2 * size - 1] = '1';
}

int kc_trace_context_make(const char *came, const unsigned char random[KC_TRACE_CONTEXT_RANDOM],
                          kc_trace_context_t *out)
{
    const size_t id_size = KC_TRACE_CONTEXT_ID / 2;
    const int is_known = came && is_sound(came);
    const int is_sampled = !is_known || (digit(came[FLAGS_AT + 1]) & SAMPLED);

    if (is_known) {
        memcpy(out->id, came + ID_AT, KC_TRACE_CONTEXT_ID);
        out->id[KC_TRACE_CONTEXT_ID] = '\0';
    } else {
        put_id(random, id_size, out->id);
    }
    memcpy(out->header, "00-", ID_AT);
    memcpy(out->header + ID_AT, out->id, KC_TRACE_CONTEXT_ID);
    out->header[SPAN_AT - 1] = '-';
    put_id(random + id_size, KC_TRACE_CONTEXT_SPAN / 2, out->header + SPAN_AT);
    memcpy(out->header + FLAGS_AT - 1, is_sampled ? "-01" : "-00", 4);
    return is_known;
}

int kc_trace_context_is_state(const char *state)
{
    size_t len = strlen(state), i;

    for (i = 0; i < len; i++) {
        if (state[i] < ' ' || state[i] > '~')
            return 0;
    }
    return len && len <= KC_TRACE_CONTEXT_STATE_MAX;
}
