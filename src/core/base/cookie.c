/* Cookies: finding those of this module in the Cookie header, removing them from it, and setting
 * them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/cookie.h"

#include <string.h>

#include <apr_strings.h>

/* Steps through the header. A piece is the text between two ";". A lax walk also ends a piece at ",
 * ", with which httpd joins the lines of clients that send several. Cookies are removed in either
 * reading. But no cookie is accepted in the lax one, because other hosts of the domain may set
 * cookies with commas in their values. */
typedef struct {
    const char *rest;      /* where the next piece begins; NULL at the end */
    const char *end;       /* of the header */
    const char *semicolon; /* the next one, kept so that it is not searched for again after each
                              comma */
    int is_lax;
    kc_bytes_t piece;
    kc_bytes_t name;  /* without the blanks around it */
    kc_bytes_t value; /* without the blanks around it */
    int has_value;    /* there is a "=" */
} walk_t;

static void walk_begin(walk_t *walk, const char *header, size_t len, int is_lax)
{
    walk->is_lax = is_lax;
    walk->rest = header;
    walk->end = header + len;
    walk->semicolon = NULL;
}

static kc_bytes_t trimmed(const char *from, const char *end)
{
    while (from < end && (*from == ' ' || *from == '\t'))
        from++;
    while (from < end && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (kc_bytes_t){(const unsigned char *)from, (size_t)(end - from)};
}

static const char *seek(const char *from, const char *end, char wanted)
{
    const char *found = memchr(from, wanted, (size_t)(end - from));

    return found ? found : end;
}

static const char *piece_end(walk_t *walk)
{
    const char *comma = walk->rest;

    if (!walk->semicolon || walk->semicolon < walk->rest)
        walk->semicolon = seek(walk->rest, walk->end, ';');
    while (walk->is_lax && (comma = seek(comma, walk->semicolon, ',')) < walk->semicolon) {
        /* A comma without a space is part of a value, as some sites write them. */
        if (comma + 1 < walk->end && comma[1] == ' ')
            return comma;
        comma++;
    }
    return walk->semicolon;
}

/* Moves to the next piece; 0 at the end. */
static int walk_on(walk_t *walk)
{
    const char *from = walk->rest;
    const char *end, *equals;

    if (!from)
        return 0;
    end = piece_end(walk);
    equals = seek(from, end, '=');
    walk->rest = end < walk->end ? end + 1 : NULL;
    walk->piece = (kc_bytes_t){(const unsigned char *)from, (size_t)(end - from)};
    walk->has_value = equals < end;
    walk->name = trimmed(from, equals);
    walk->value = trimmed(walk->has_value ? equals + 1 : end, end);
    return 1;
}

/* A header that is too long is ignored: counting stops at the limit. */
static int begin_capped(walk_t *walk, const char *header)
{
    size_t len = strnlen(header, KC_COOKIE_HEADER_MAX + 1);

    walk_begin(walk, header, len, 0);
    return len <= KC_COOKIE_HEADER_MAX;
}

static int is_equal(kc_bytes_t bytes, const char *text, size_t len)
{
    return bytes.len == len && !memcmp(bytes.data, text, len);
}

static int has_prefix(kc_bytes_t bytes, const char *text, size_t len)
{
    return bytes.len >= len && !memcmp(bytes.data, text, len);
}

kc_rc_t kc_cookie_find(const char *header, const char *name, size_t name_len, kc_bytes_t *value)
{
    walk_t walk;
    kc_bytes_t found = {NULL, 0};

    if (!header)
        return KC_MISS;
    if (!begin_capped(&walk, header))
        return KC_REFUSED;
    while (walk_on(&walk)) {
        if (!walk.has_value || !is_equal(walk.name, name, name_len))
            continue;
        if (found.data)
            return KC_REFUSED;
        found = walk.value;
    }
    if (!found.len)
        return KC_MISS;
    *value = found;
    return KC_OK;
}

size_t kc_cookie_list(const char *header, const char *prefix, kc_cookie_item_t *items, size_t size)
{
    size_t prefix_len = strlen(prefix);
    size_t count = 0;
    walk_t walk;

    if (!header || !begin_capped(&walk, header))
        return 0;
    while (walk_on(&walk)) {
        if (!walk.has_value || !has_prefix(walk.name, prefix, prefix_len))
            continue;
        if (count < size) {
            items[count].name = walk.name;
            items[count].value = walk.value;
        }
        count++;
    }
    return count;
}

/* ---------------------------------------------------------------- stripping */

/* 1 when the name equals the pattern, or begins with it when it ends with a star. Clients may send
 * thousands of names; most differ in the first character, and then nothing else is compared. */
static int is_named(kc_bytes_t name, const char *pattern)
{
    for (size_t i = 0; i < name.len; i++) {
        if (pattern[i] != (char)name.data[i])
            return pattern[i] == '*' && !pattern[i + 1];
    }
    return !pattern[name.len] || (pattern[name.len] == '*' && !pattern[name.len + 1]);
}

static int is_ours(kc_bytes_t name, const char *const *names, size_t count)
{
    for (size_t i = 0; name.len && i < count; i++) {
        if (is_named(name, names[i]))
            return 1;
    }
    return 0;
}

/* Appends the piece with the separator before it, or, at the front, without the blanks before
 * it. */
static char *keep(char *out, const char *start, const walk_t *walk)
{
    const char *from = (const char *)walk->piece.data;
    size_t len = walk->piece.len;

    if (out > start) {
        *out++ = from[-1];
    } else {
        size_t blanks = strspn(from, " \t"); /* a piece ends before a NUL, so there are at most
                                                len */

        from += blanks;
        len -= blanks;
    }
    memcpy(out, from, len);
    return out + len;
}

/* Appends the text before the current piece. */
static char *keep_before(char *out, const char *header, const walk_t *walk)
{
    const char *start = out;
    walk_t again;

    walk_begin(&again, header, (size_t)(walk->end - header), walk->is_lax);
    while (walk_on(&again) && again.piece.data < walk->piece.data)
        out = keep(out, start, &again);
    return out;
}

/* There is no length limit here: this module's cookies must never reach the backend. Most headers
 * have only these, which takes one walk. */
const char *kc_cookie_strip(const char *header, const char *const *names, size_t count,
                            apr_pool_t *pool)
{
    int has_rest = 0;
    walk_t walk;
    char *stripped = NULL, *out = NULL;

    if (!header)
        return NULL;
    walk_begin(&walk, header, strlen(header), 1);
    while (walk_on(&walk)) {
        if (is_ours(walk.name, names, count)) {
            if (!stripped) {
                stripped = apr_palloc(pool, (size_t)(walk.end - header) + 1);
                out = stripped;
                if ((const char *)walk.piece.data > header)
                    out = keep_before(out, header, &walk);
            }
            continue;
        }
        if (stripped)
            out = keep(out, stripped, &walk);
        has_rest |= walk.name.len > 0 || walk.has_value;
    }
    if (!stripped)
        return header;
    *out = '\0';
    return has_rest ? stripped : NULL;
}

/* ---------------------------------------------------------------- set by backends */

/* The same, ignoring case. */
static int is_like_ours(kc_bytes_t name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t len = strcspn(names[i], "*");

        if ((names[i][len] ? name.len >= len : name.len == len) &&
            strncasecmp((const char *)name.data, names[i], len) == 0)
            return 1;
    }
    return 0;
}

/* 1 for what any reader may take for a blank. */
static int is_gap(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7f;
}

static kc_bytes_t without_gaps(const char *from, const char *end)
{
    while (from < end && is_gap(*from))
        from++;
    while (from < end && is_gap(end[-1]))
        end--;
    return (kc_bytes_t){(const unsigned char *)from, (size_t)(end - from)};
}

/* Software that splits a line at commas finds a name after each comma. Browsers make a name of the
 * beginning of a nameless cookie. Attributes are treated like cookies, because none has a name of
 * this module. */
int kc_cookie_is_set(const char *line, const char *const *names, size_t count)
{
    while (*line) {
        size_t len;

        while (*line && (is_gap(*line) || strchr("=,;", *line)))
            line++;
        len = strcspn(line, "=,;");
        if (is_like_ours(without_gaps(line, line + len), names, count))
            return 1;
        line += strcspn(line, ",;");
    }
    return 0;
}

/* What a browser may be told to clear, except cookies. The first ones are what * stands for. */
static const char *const clearings[] = {
    "\"cache\"",       "\"storage\"",       "\"executionContexts\"",
    "\"clientHints\"", "\"prefetchCache\"", "\"prerenderCache\""};
enum { CLEARINGS = sizeof(clearings) / sizeof(clearings[0]), CLEARINGS_OF_ALL = 7 /* bits */ };

/* One bit each; 0 for a word that clears cookies, or that is unknown. */
static unsigned int clearing_of(kc_bytes_t word)
{
    for (size_t i = 0; i < CLEARINGS; i++) {
        if (is_equal(word, clearings[i], strlen(clearings[i])))
            return 1U << i;
    }
    return 0;
}

const char *kc_cookie_keep_uncleared(const char *line, apr_pool_t *pool)
{
    const char *kept = NULL, *at = line, *end;
    unsigned int bits = 0, bit;
    int is_whole = 1;
    size_t i;

    for (; *at; at = *end ? end + 1 : end) {
        kc_bytes_t word;

        end = at + strcspn(at, ",");
        word = without_gaps(at, end);
        if (!word.len)
            continue;
        bit = clearing_of(word);
        is_whole &= bit != 0;
        bits |= is_equal(word, "\"*\"", 3) ? (unsigned int)CLEARINGS_OF_ALL : bit;
    }
    if (is_whole)
        return line;
    for (i = 0; i < CLEARINGS; i++) {
        if (bits & 1U << i)
            kept = kept ? apr_pstrcat(pool, kept, ", ", clearings[i], NULL) : clearings[i];
    }
    return kept;
}

/* ---------------------------------------------------------------- setting */

const char *kc_cookie_format(const kc_cookie_set_t *cookie, apr_pool_t *pool)
{
    const char *age = "";

    /* Expires too, for clients that do not know Max-Age: a logout must not depend on it. */
    if (cookie->max_age == 0)
        age = "; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    else if (cookie->max_age > 0)
        age = apr_psprintf(pool, "; Max-Age=%ld", cookie->max_age);
    return apr_pstrcat(
        pool, cookie->name, "=", cookie->value, "; Path=", cookie->path ? cookie->path : "/",
        cookie->domain ? "; Domain=" : "", cookie->domain ? cookie->domain : "", age,
        cookie->is_secure ? "; Secure" : "", "; HttpOnly; SameSite=", cookie->same_site, NULL);
}
