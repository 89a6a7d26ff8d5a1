/* An audit event as one line of JSON.
 * SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit_line.h"

#include <apr_strings.h>
#include <apr_time.h>
#include <string.h>

/* The fields in their order: name, bytes of the value at most, as it is written. doc/audit.md has a
 * row for each. */
#define FIELDS(FIELD)           \
    FIELD(time, 24)             \
    FIELD(event, 20)            \
    FIELD(tag, 6)               \
    FIELD(cause, 20)            \
    FIELD(user, 512)            \
    FIELD(sub, 512)             \
    FIELD(act, 300)             \
    FIELD(by, 300)              \
    FIELD(client, 256)          \
    FIELD(acr, 128)             \
    FIELD(session, 16)          \
    FIELD(keycloak_session, 16) \
    FIELD(address, 64)          \
    FIELD(agent, 400)           \
    FIELD(request, 64)          \
    FIELD(trace, 32)            \
    FIELD(issuer, 400)          \
    FIELD(server, 256)          \
    FIELD(omitted, 10)          \
    FIELD(lost, 10)

#define NUMBER(name, max) FIELD_##name,
enum { FIELDS(NUMBER) FIELD_COUNT };
#undef NUMBER

typedef struct {
    const char *name;
    size_t max;
} field_t;

#define ROW(name, max) {#name, max},
static const field_t fields[] = {FIELDS(ROW)};
#undef ROW

/* For each field its name, two quotes of name and value, colon, comma; and the braces and the
 * newline. */
#define LENGTH(name, max) +sizeof(#name) - 1 + (max) + 6
typedef char the_longest_line_fits[3 FIELDS(LENGTH) <= KC_AUDIT_LINE_MAX ? 1 : -1];
#undef LENGTH

typedef struct {
    char *out;
    size_t len;
} line_t;

static const char *const events[KC_AUDIT_KINDS] = {
    [KC_AUDIT_SIGN_IN] = "sign-in",
    [KC_AUDIT_STEP_UP] = "step-up",
    [KC_AUDIT_SIGN_IN_REFUSED] = "sign-in-refused",
    [KC_AUDIT_SIGN_OUT] = "sign-out",
    [KC_AUDIT_SESSION_ENDED] = "session-ended",
    [KC_AUDIT_BEARER_ACCEPTED] = "bearer-accepted",
    [KC_AUDIT_BEARER_REFUSED] = "bearer-refused",
    [KC_AUDIT_OPERATOR] = "operator",
};

static void put(line_t *line, const char *bytes, size_t len)
{
    memcpy(line->out + line->len, bytes, len);
    line->len += len;
}

/* ---------------------------------------------------------------- characters */

enum { REPLACEMENT = 0xfffd, SIZE_MAX_ESCAPED = 7 };
static const char ellipsis[] = "\xe2\x80\xa6";

static int is_tail(unsigned char byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The next character of UTF-8 (RFC 3629). U+FFFD and one byte for what is none: a surrogate, a
 * number beyond Unicode, a character in more bytes than it needs. */
static unsigned long next(const unsigned char *at, size_t *size)
{
    static const unsigned long least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned long value = at[0];
    size_t count = at[0] < 0x80 ? 1 : at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2, i;

    *size = 1;
    if (count == 1)
        return value;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return REPLACEMENT;
    value &= 0xffUL >> (count + 1);
    for (i = 1; i < count; i++) {
        if (!is_tail(at[i]))
            return REPLACEMENT;
        value = value << 6 | (at[i] & 0x3f);
    }
    if (value < least[count] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return REPLACEMENT;
    *size = count;
    return value;
}

/* Characters that could hide what a line says, or split it, where people or programs read it. */
static int is_unsafe(unsigned long value)
{
    return value < 0x20 || (value >= 0x7f && value <= 0x9f) || value == 0xad || value == 0x61c ||
           value == 0x180e || (value >= 0x200b && value <= 0x200f) ||
           (value >= 0x2028 && value <= 0x202e) || (value >= 0x2060 && value <= 0x206f) ||
           value == 0xfeff || (value >= 0xfff9 && value <= 0xfffb);
}

/* The character as it is written; its length. */
static size_t escape(unsigned long value, const unsigned char *at, size_t size,
                     char out[SIZE_MAX_ESCAPED])
{
    if (value == '"' || value == '\\') {
        out[0] = '\\';
        out[1] = (char)value;
        return 2;
    }
    if (is_unsafe(value) || (value == REPLACEMENT && size == 1))
        return (size_t)apr_snprintf(out, SIZE_MAX_ESCAPED, "\\u%04lx", value);
    memcpy(out, at, size);
    return size;
}

/* ---------------------------------------------------------------- fields */

static void put_name(line_t *line, int field)
{
    put(line, field ? ",\"" : "\"", field ? 2 : 1);
    put(line, fields[field].name, strlen(fields[field].name));
    put(line, "\":", 2);
}

/* The text up to the bound. *cut: where an ellipsis still fits. 1 when all of it is written. */
static int put_escaped(line_t *line, const char *text, size_t max, size_t *cut)
{
    const unsigned char *at = (const unsigned char *)text;
    const size_t begin = line->len;
    char escaped[SIZE_MAX_ESCAPED];
    size_t size, len;

    *cut = begin;
    for (; *at; at += size) {
        unsigned long value = next(at, &size);

        len = escape(value, at, size, escaped);
        if (line->len - begin + len > max)
            return 0;
        put(line, escaped, len);
        if (line->len - begin + sizeof(ellipsis) - 1 <= max)
            *cut = line->len;
    }
    return 1;
}

static void put_text(line_t *line, int field, const char *text)
{
    size_t cut;

    put_name(line, field);
    if (!text || !*text) {
        put(line, "null", 4);
        return;
    }
    put(line, "\"", 1);
    if (!put_escaped(line, text, fields[field].max, &cut)) {
        line->len = cut;
        if (fields[field].max > sizeof(ellipsis) - 1)
            put(line, ellipsis, sizeof(ellipsis) - 1);
    }
    put(line, "\"", 1);
}

static void put_number(line_t *line, int field, unsigned int number)
{
    char text[16];

    put_name(line, field);
    put(line, text, (size_t)apr_snprintf(text, sizeof(text), "%u", number));
}

/* RFC 3339. */
static void put_time(line_t *line, int64_t time_ms)
{
    apr_time_exp_t parts;
    char text[40];

    memset(&parts, 0, sizeof(parts));
    (void)apr_time_exp_gmt(&parts, apr_time_from_msec(time_ms));
    (void)apr_snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                       parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                       parts.tm_min, parts.tm_sec, (int)(parts.tm_usec / 1000));
    put_text(line, FIELD_time, text);
}

size_t kc_audit_line_write(const kc_audit_event_t *event, const kc_audit_origin_t *origin,
                           char out[KC_AUDIT_LINE_MAX])
{
    char provider_session[KC_AUDIT_HASH_TEXT + 1];
    line_t line = {out, 0};

    kc_audit_hash(event->sid, provider_session);
    put(&line, "{", 1);
    put_time(&line, origin->time_ms);
    put_text(&line, FIELD_event, events[event->kind]);
    put_text(&line, FIELD_tag, kc_err_row(event->reason)->tag);
    put_text(&line, FIELD_cause, event->cause);
    put_text(&line, FIELD_user, event->user);
    put_text(&line, FIELD_sub, event->sub);
    put_text(&line, FIELD_act, event->act);
    put_text(&line, FIELD_by, event->by);
    put_text(&line, FIELD_client, origin->client);
    put_text(&line, FIELD_acr, event->acr);
    put_text(&line, FIELD_session, event->session);
    put_text(&line, FIELD_keycloak_session, provider_session);
    put_text(&line, FIELD_address, origin->address);
    put_text(&line, FIELD_agent, origin->agent);
    put_text(&line, FIELD_request, origin->request);
    put_text(&line, FIELD_trace, origin->trace);
    put_text(&line, FIELD_issuer, origin->issuer);
    put_text(&line, FIELD_server, origin->server);
    put_number(&line, FIELD_omitted, origin->omitted);
    put_number(&line, FIELD_lost, origin->lost);
    put(&line, "}\n", 2);
    return line.len;
}
