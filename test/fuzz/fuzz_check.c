/* Fuzzes what the check reads of Keycloak besides JSON: heads and error pages. Nothing of them gets
 * into the report that could make a line of its own or move a terminal.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>

#include "check/check_page.h"
#include "check/check_report.h"
#include "http/http_head.h"
#include "input.h"
#include "reach.h"

enum { LOCATION, DATE, PAGE };

reach_t reach[] = {{"location kept", 0}, {"date kept", 0}, {"page read", 0}, {NULL, 0}};

/* The text is shown as one line of printable ASCII. */
static void show(const char *text, apr_pool_t *pool)
{
    kc_check_report_t report;
    const char *shown;

    kc_check_report_init(&report, pool);
    kc_check_report_hide(&report, "canary");
    kc_check_report_ok(&report, "fuzz", "%s", text);
    shown = APR_ARRAY_IDX(report.results, 0, kc_check_result_t).sentence;
    HOLDS(!strstr(shown, "canary"));
    for (; *shown; shown++)
        HOLDS(*shown >= 0x20 && *shown < 0x7f);
}

static void read_head(const char *text, apr_pool_t *pool)
{
    kc_http_head_t head = {NULL, NULL};
    size_t len;

    for (; *text; text += len) {
        len = strcspn(text, "\n");
        len += text[len] == '\n';
        kc_http_head_take(&head, text, len, pool);
    }
    if (head.location) {
        reach_note(LOCATION);
        HOLDS(strlen(head.location) <= KC_HTTP_HEAD_MAX);
        HOLDS(!strpbrk(head.location, "\r\n"));
        show(head.location, pool);
    }
    if (head.date)
        reach_note(DATE);
}

static void read_page(const char *text, apr_pool_t *pool)
{
    kc_http_response_t response = {0};
    const char *said;

    response.body = text;
    response.body_len = strlen(text);
    said = kc_check_page_text(&response, pool);
    HOLDS(strlen(said) <= KC_CHECK_PAGE_MAX);
    if (*said)
        reach_note(PAGE);
    show(said, pool);
}

static void check(const char *text, apr_pool_t *pool)
{
    read_head(text, pool);
    read_page(text, pool);
    show(text, pool);
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
