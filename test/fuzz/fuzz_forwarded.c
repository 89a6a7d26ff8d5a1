/* Fuzzes what proxies tell of the browser's address: whatever a client has sent, the value that the
 * proxy appends counts.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/forwarded.h"
#include "input.h"
#include "reach.h"

enum { TOLD_SCHEME, TOLD_HOST, TOLD_PORT, TOLD_STANDARD, FURTHER_HOP, HEADERS = 8 };

reach_t reach[] = {{"scheme told", 0},    {"host told", 0},   {"port told", 0},
                   {"Forwarded told", 0}, {"further hop", 0}, {NULL, 0}};

static int is_trusted(void *context, const char *address)
{
    int is_one = strncmp(address, "10.", 3) == 0;

    ++*(int *)context;
    if (is_one)
        reach_note(FURTHER_HOP);
    return is_one;
}

static kc_forwarded_t believed(const kc_forwarded_headers_t *headers, apr_pool_t *pool)
{
    kc_forwarded_t said;
    int asked = 0;

    kc_forwarded_read(headers, is_trusted, &asked, pool, &said);
    HOLDS(asked <= 32);
    HOLDS(!said.scheme || !strcmp(said.scheme, "https") || !strcmp(said.scheme, "http"));
    HOLDS(!said.host || *said.host);
    HOLDS(!said.port || *said.port);
    HOLDS(said.is_told || (!said.scheme && !said.host));
    return said;
}

/* The same, with what a proxy puts behind it that a stranger has asked. */
static const char *behind(const char *value, const char *own, apr_pool_t *pool)
{
    return value ? apr_pstrcat(pool, value, ", ", own, NULL) : own;
}

static void check_appended(const kc_forwarded_headers_t *sent, apr_pool_t *pool)
{
    kc_forwarded_headers_t headers = *sent;
    kc_forwarded_t said;

    headers.by_for = behind(sent->by_for, "198.51.100.7", pool);
    headers.proto = behind(sent->proto, "https", pool);
    headers.host = behind(sent->host, "a.example.com", pool);
    headers.port = behind(sent->port, "8443", pool);
    said = believed(&headers, pool);
    HOLDS(said.scheme && !strcmp(said.scheme, "https") && said.is_told);
    HOLDS(said.host && !strcmp(said.host, "a.example.com"));
    HOLDS(said.port && !strcmp(said.port, "8443"));
    memset(&headers, 0, sizeof(headers));
    headers.standard =
        behind(sent->standard, "for=198.51.100.7;host=a.example.com;proto=https", pool);
    said = believed(&headers, pool);
    HOLDS(said.scheme && !strcmp(said.scheme, "https"));
    HOLDS(said.host && !strcmp(said.host, "a.example.com"));
}

/* A header a line, in the order of the struct; an empty line: it is absent. */
static void check(const char *text, apr_pool_t *pool)
{
    const char *lines[HEADERS] = {NULL};
    kc_forwarded_headers_t headers;
    kc_forwarded_t said;
    int i;

    for (i = 0; i < HEADERS && text; i++) {
        size_t len = strcspn(text, "\n");

        lines[i] = len ? kc_buf_copy(text, len, pool) : NULL;
        text = text[len] ? text + len + 1 : NULL;
    }
    headers = (kc_forwarded_headers_t){lines[0], lines[1], lines[2], lines[3],
                                       lines[4], lines[5], lines[6], lines[7]};
    said = believed(&headers, pool);
    if (said.scheme)
        reach_note(TOLD_SCHEME);
    if (said.host)
        reach_note(TOLD_HOST);
    if (said.port)
        reach_note(TOLD_PORT);
    check_appended(&headers, pool);
    headers = (kc_forwarded_headers_t){.standard = headers.standard};
    if (believed(&headers, pool).is_told)
        reach_note(TOLD_STANDARD);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return input_start();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return input_text(data, size, check);
}
