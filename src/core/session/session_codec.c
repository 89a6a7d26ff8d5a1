/* The compact encoding of a session: written once, read on each request.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session_codec.h"

#include <string.h>

#include "crypto/seal.h"
#include "session/unknown.h"

/* Big endian: version (1), kind of the tail (1), slot (1), flags (1), created, expires,
 * token_expires, auth_time, refresh_at (4 each), ten lengths (2 each) and the tail's (4), sub_seen
 * (8), sub_key, sid_key (32 each), user_seen (8), user_key (32). Then the texts sub, sid, user,
 * email, acr, groups; the lists headers, group_list, realm_roles, client_roles; and the tail. The
 * tail may be an ID token with its NUL, and claims.
 *
 * Each length counts the closing NUL (of a list: of each of its texts), so that a request uses the
 * texts without a copy. With FLAG_GROUPS_ONCE group_list has no bytes: it is the text groups, with
 * commas. The higher bits of the flags are those of unknown.h.
 *
 * Version 5 has no user_seen and user_key. Version 4 has no flags either, so it does not tell
 * which lists are unknown. Version 7 is version 6 with ten lengths of 4 bytes each. It is written
 * only when a length needs more than two bytes. So each session has exactly one encoding, and older
 * nodes can read all but the largest ones. */

enum {
    TEXTS = 6,
    LISTS = 4,
    TIMES = 5,
    VERSION_NO_FLAGS = 4,
    VERSION_NO_USER_KEY = 5,
    SHORT = 2, /* bytes of each of the ten lengths */
    WIDE = 4,
    FLAGS_AT = 3,
    FLAG_GROUPS_ONCE = 1,
    UNKNOWN_SHIFT = 1,
    FLAGS_ALL = FLAG_GROUPS_ONCE | KC_UNKNOWN_ALL << UNKNOWN_SHIFT,
    TIMES_AT = 0, /* offsets from here on start after the flags, which version 4 does not have */
    LENGTHS_AT = TIMES_AT + 4 * TIMES,
    TAIL_LENGTH_AT = LENGTHS_AT + SHORT * (TEXTS + LISTS), /* WIDER bytes further with wide
                                                              lengths */
    SEEN_AT = TAIL_LENGTH_AT + 4,
    KEYS_AT = SEEN_AT + 8,
    USER_SEEN_AT = KEYS_AT + 2 * KC_SESSION_NAME_SIZE,
    HEAD_SIZE_BEFORE = USER_SEEN_AT, /* of versions 4 and 5 */
    USER_KEY_AT = USER_SEEN_AT + 8,
    HEAD_SIZE = USER_KEY_AT + KC_SESSION_NAME_SIZE,
    WIDER = (WIDE - SHORT) * (TEXTS + LISTS)
};

/* What follows the texts and lists. */
typedef enum { TAIL_NOTHING, TAIL_PACKED, TAIL_CLAIMS, TAIL_ID_TOKEN, TAIL_KINDS } tail_t;

/* ---------------------------------------------------------------- encoding */

static void put_time(kc_buf_t *buf, int64_t time)
{
    kc_buf_put_u32(buf, time < 0 ? 0 : time > UINT32_MAX ? UINT32_MAX : (uint32_t)time);
}

static kc_bytes_t text_part(const char *text)
{
    kc_bytes_t part = {(const unsigned char *)text, strlen(text) + 1};

    return part;
}

static void put_name(kc_buf_t *buf, const unsigned char *name)
{
    static const unsigned char none[KC_SESSION_NAME_SIZE];

    kc_buf_put(buf, name ? name : none, KC_SESSION_NAME_SIZE);
}

static kc_bytes_t list_part(const kc_session_list_t *list)
{
    kc_bytes_t part = {(const unsigned char *)list->text, list->size};

    return part;
}

/* 1 when the header value has exactly the texts of the list. */
static int is_header_of(const char *header, const kc_session_list_t *list)
{
    const char *at = header;
    kc_bytes_t text = {NULL, 0};

    if (list->separator && list->text == header)
        return 1; /* as it was decoded */
    if (list->size && strlen(header) + 1 != list->size)
        return 0; /* fast path: a long list for which a header has no room */
    while (kc_session_list_walk(list, &text)) {
        if (at != header && *at++ != ',')
            return 0;
        if (!text.len || memchr(text.data, ',', text.len) ||
            strncmp(at, (const char *)text.data, text.len) != 0)
            return 0;
        at += text.len;
    }
    return !*at;
}

/* Stores the groups once when the header has them all. */
static kc_bytes_t group_part(const kc_session_t *session, uint8_t *flags)
{
    const kc_bytes_t nothing = {NULL, 0};

    if (!is_header_of(session->groups, &session->group_list))
        return list_part(&session->group_list);
    *flags |= FLAG_GROUPS_ONCE;
    return nothing;
}

static tail_t tail_kind(const kc_session_t *session)
{
    if (session->packed.len)
        return TAIL_PACKED;
    if (session->id_token)
        return TAIL_ID_TOKEN;
    return session->claims.len ? TAIL_CLAIMS : TAIL_NOTHING;
}

/* The width of the lengths: as narrow as possible. */
static size_t width_of(const kc_bytes_t *parts)
{
    size_t i;

    for (i = 0; i < TEXTS + LISTS; i++) {
        if (parts[i].len > KC_SESSION_CODEC_SHORT_MAX)
            return WIDE;
    }
    return SHORT;
}

static void put_length(kc_buf_t *buf, size_t width, size_t len)
{
    if (width == WIDE)
        kc_buf_put_u32(buf, (uint32_t)len);
    else
        kc_buf_put_u16(buf, (uint16_t)len);
}

/* The head, up to the texts. */
static void put_head(const kc_session_t *session, const kc_bytes_t *parts, size_t tail_len,
                     kc_buf_t *buf)
{
    size_t width = width_of(parts), i;

    put_time(buf, session->created);
    put_time(buf, session->expires);
    put_time(buf, session->token_expires);
    put_time(buf, session->auth_time);
    put_time(buf, session->refresh_at);
    for (i = 0; i < TEXTS + LISTS; i++)
        put_length(buf, width, parts[i].len);
    kc_buf_put_u32(buf, (uint32_t)tail_len);
    kc_buf_put_u64(buf, (uint64_t)session->sub_seen);
    put_name(buf, session->sub_key);
    put_name(buf, session->sid_key);
    kc_buf_put_u64(buf, (uint64_t)session->user_seen);
    put_name(buf, session->user_key);
}

/* Tells an administrator which part of the session is large. */
static kc_rc_t refuse_size(const kc_session_t *session, const kc_bytes_t *parts, size_t tail_len,
                           kc_err_t *err)
{
    static const char *const names[TEXTS + LISTS] = {
        "sub",     "sid",    "user name",   "email",       "acr", "header of groups",
        "headers", "groups", "realm roles", "client roles"};
    size_t len = tail_len + HEAD_SIZE, largest = 0, i;

    for (i = 0; i < TEXTS + LISTS; i++) {
        len += parts[i].len;
        if (parts[i].len > parts[largest].len)
            largest = i;
    }
    return KC_FAIL(
        err, KC_REFUSED, KC_ERR_STORE_VALUE,
        "the session of sub %.60s has %zu bytes, more than %d: %s %zu, tokens and claims "
        "%zu: have mappers put fewer groups and roles into the tokens",
        session->sub, len, KC_SEAL_MAX - KC_SEAL_OVERHEAD, names[largest], parts[largest].len,
        tail_len);
}

kc_rc_t kc_session_codec_encode(const kc_session_t *session, apr_pool_t *pool, kc_bytes_t *out,
                                kc_err_t *err)
{
    uint8_t flags = (uint8_t)((session->unknown & KC_UNKNOWN_ALL) << UNKNOWN_SHIFT);
    const kc_bytes_t parts[TEXTS + LISTS] = {
        text_part(session->sub),          text_part(session->sid),
        text_part(session->user),         text_part(session->email),
        text_part(session->acr),          text_part(session->groups),
        list_part(&session->headers),     group_part(session, &flags),
        list_part(&session->realm_roles), list_part(&session->client_roles)};
    tail_t kind = tail_kind(session);
    const kc_bytes_t nothing = {NULL, 0};
    kc_bytes_t token = kind == TAIL_ID_TOKEN ? text_part(session->id_token) : nothing;
    const kc_bytes_t *tail = kind == TAIL_PACKED ? &session->packed : &session->claims;
    kc_buf_t buf;
    size_t i;

    kc_buf_init(&buf, KC_SEAL_MAX - KC_SEAL_OVERHEAD, pool);
    kc_buf_put_u8(&buf, width_of(parts) == WIDE ? KC_SESSION_CODEC_VERSION_WIDE
                                                : KC_SESSION_CODEC_VERSION);
    kc_buf_put_u8(&buf, (uint8_t)kind);
    kc_buf_put_u8(&buf, (uint8_t)session->slot);
    kc_buf_put_u8(&buf, flags);
    put_head(session, parts, token.len + tail->len, &buf);
    for (i = 0; i < TEXTS + LISTS; i++)
        kc_buf_put(&buf, parts[i].data, parts[i].len);
    kc_buf_put(&buf, token.data, token.len);
    kc_buf_put(&buf, tail->data, tail->len);
    if (kc_buf_bytes(&buf, out) != KC_OK)
        return refuse_size(session, parts, token.len + tail->len, err);
    return KC_OK;
}

/* ---------------------------------------------------------------- decoding */

static size_t u16_at(const unsigned char *at)
{
    return (size_t)(at[0] << 8 | at[1]);
}

static int64_t u32_at(const unsigned char *at)
{
    return (int64_t)u16_at(at) << 16 | (int64_t)u16_at(at + 2);
}

static int64_t u64_at(const unsigned char *at)
{
    return (int64_t)((uint64_t)u32_at(at) << 32 | (uint64_t)u32_at(at + 4));
}

/* A text must end with its only NUL. */
static int is_text(const unsigned char *data, size_t len)
{
    return len && !data[len - 1] && strlen((const char *)data) == len - 1;
}

/* A list must end with a NUL, so that walking it never leaves it. */
static int is_list(const unsigned char *data, size_t len)
{
    return !len || !data[len - 1];
}

/* Takes `len` bytes off the rest; NULL when there are fewer. */
static const unsigned char *take(kc_bytes_t *rest, size_t len)
{
    const unsigned char *data = rest->data;

    if (rest->len < len)
        return NULL;
    rest->data += len;
    rest->len -= len;
    return data;
}

static size_t length_at(const unsigned char *at, size_t width)
{
    return width == WIDE ? (size_t)u32_at(at) : u16_at(at);
}

/* 1 when at least one length needs the wide form. Otherwise the encoding is refused, because each
 * session has exactly one. */
static int is_wide(const unsigned char *lengths)
{
    size_t i;

    for (i = 0; i < TEXTS + LISTS; i++) {
        if (length_at(lengths + i * WIDE, WIDE) > KC_SESSION_CODEC_SHORT_MAX)
            return 1;
    }
    return 0;
}

/* Points the members at their bytes. 0 when a part is malformed, or longer than what is there.
 * Compiled once for each width, because each request runs it. */
static inline __attribute__((always_inline)) int read_parts(const unsigned char *lengths,
                                                            size_t width, kc_bytes_t *rest,
                                                            kc_session_t *out)
{
    const char **texts[TEXTS] = {&out->sub,   &out->sid, &out->user,
                                 &out->email, &out->acr, &out->groups};
    kc_session_list_t *lists[LISTS] = {&out->headers, &out->group_list, &out->realm_roles,
                                       &out->client_roles};
    const unsigned char *data;
    size_t len, i;

    for (i = 0; i < TEXTS; i++, lengths += width) {
        len = length_at(lengths, width);
        data = take(rest, len);
        if (!data || !is_text(data, len))
            return 0;
        *texts[i] = (const char *)data;
    }
    for (i = 0; i < LISTS; i++, lengths += width) {
        len = length_at(lengths, width);
        data = take(rest, len);
        if (!data || !is_list(data, len))
            return 0;
        *lists[i] = (kc_session_list_t){(const char *)data, len, '\0'};
    }
    return 1;
}

/* Points the list at the header value. 0 when there is a list besides, or when the list could have
 * been stored once but was not: each session has exactly one encoding. */
static int read_groups(int version, uint8_t flags, kc_session_t *out)
{
    if (!(flags & FLAG_GROUPS_ONCE))
        return version == VERSION_NO_FLAGS || !is_header_of(out->groups, &out->group_list);
    if (out->group_list.size)
        return 0;
    out->group_list.text = out->groups;
    out->group_list.size = *out->groups ? strlen(out->groups) + 1 : 0;
    out->group_list.separator = ',';
    return 1;
}

/* 0 when the kind is unknown or does not fit the bytes. */
static int read_tail(int kind, kc_bytes_t tail, kc_session_t *out)
{
    const kc_bytes_t nothing = {NULL, 0};
    const unsigned char *end;

    out->packed = kind == TAIL_PACKED ? tail : nothing;
    out->claims = kind == TAIL_CLAIMS ? tail : nothing;
    out->id_token = NULL;
    if (kind != TAIL_ID_TOKEN)
        return kind < TAIL_KINDS && (kind == TAIL_NOTHING) == (tail.len == 0);
    end = tail.len ? memchr(tail.data, 0, tail.len) : NULL;
    if (!end || end == tail.data)
        return 0;
    out->id_token = (const char *)tail.data;
    out->claims.data = end + 1;
    out->claims.len = tail.len - (size_t)(end + 1 - tail.data);
    return 1;
}

/* The offset of the head behind the flags, and its size. 0 when it is too short or of an unknown
 * version. */
static size_t read_flags(kc_bytes_t compact, uint8_t *flags, size_t *head_size)
{
    int version = compact.len ? compact.data[0] : 0;

    *flags = KC_UNKNOWN_ALL << UNKNOWN_SHIFT;
    *head_size = version > VERSION_NO_USER_KEY ? HEAD_SIZE : HEAD_SIZE_BEFORE;
    if (version == KC_SESSION_CODEC_VERSION_WIDE)
        *head_size += WIDER;
    if (compact.len < FLAGS_AT + 1 + *head_size || version > KC_SESSION_CODEC_VERSION_WIDE)
        return 0;
    if (version == VERSION_NO_FLAGS)
        return FLAGS_AT;
    *flags = compact.data[FLAGS_AT];
    return version >= VERSION_NO_USER_KEY && !(*flags & ~FLAGS_ALL) ? FLAGS_AT + 1 : 0;
}

/* Older versions have no key and no time of a user entry. */
static void read_user_key(const unsigned char *head, int is_there, kc_session_t *out)
{
    out->user_seen = is_there ? u64_at(head + USER_SEEN_AT) : 0;
    out->user_key = is_there ? head + USER_KEY_AT : NULL;
}

kc_rc_t kc_session_codec_decode(kc_bytes_t compact, kc_session_t *out, kc_err_t *err)
{
    uint8_t flags;
    size_t head_size, head_at = read_flags(compact, &flags, &head_size);
    const unsigned char *head = compact.data + head_at, *lengths = head + LENGTHS_AT;
    kc_bytes_t tail;
    int is_right;

    if (!head_at)
        return KC_FAIL(err, KC_REFUSED, KC_ERR_SESSION_FORMAT, "session of format %d",
                       compact.len ? compact.data[0] : -1);
    out->slot = compact.data[2];
    out->unknown = (unsigned int)flags >> UNKNOWN_SHIFT;
    out->created = u32_at(head + TIMES_AT);
    out->expires = u32_at(head + TIMES_AT + 4);
    out->token_expires = u32_at(head + TIMES_AT + 8);
    out->auth_time = u32_at(head + TIMES_AT + 12);
    out->refresh_at = u32_at(head + TIMES_AT + 16);
    tail.data = head + head_size;
    tail.len = compact.len - head_at - head_size;
    if (head_size > HEAD_SIZE) {
        head += WIDER;
        is_right = is_wide(lengths) && read_parts(lengths, WIDE, &tail, out);
    } else {
        is_right = read_parts(lengths, SHORT, &tail, out);
    }
    out->sub_seen = u64_at(head + SEEN_AT);
    out->sub_key = head + KEYS_AT;
    out->sid_key = head + KEYS_AT + KC_SESSION_NAME_SIZE;
    read_user_key(head, head_size >= HEAD_SIZE, out);
    if (!is_right || (int64_t)tail.len != u32_at(head + TAIL_LENGTH_AT) ||
        !read_tail(compact.data[1], tail, out) || !read_groups(compact.data[0], flags, out))
        return KC_FAIL(err, KC_REFUSED, KC_ERR_SESSION_FORMAT, "session of a wrong length");
    out->is_bearer = 0;
    out->rp = NULL;
    out->id = NULL;
    out->key[0] = '\0';
    out->idle_end = 0;
    return KC_OK;
}
