/* Fuzzes what stands in audit lines and traces: whatever texts come, a line is JSON of one form and
 * within its bound, and a trace that is sent on is well formed.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>

#include "audit/audit_line.h"
#include "base/json.h"
#include "base/trace_context.h"
#include "input.h"
#include "reach.h"

enum { REPLACED, CUT, KNOWN_TRACE, STATE };

reach_t reach[] = {
    {"byte replaced", 0}, {"text cut", 0}, {"trace known", 0}, {"state taken", 0}, {NULL, 0}};

static void check_line(const char *text, apr_pool_t *pool)
{
    const kc_audit_event_t event = {.kind = KC_AUDIT_BEARER_REFUSED,
                                    .reason = KC_ERR_INVALID_TOKEN,
                                    .user = text,
                                    .sub = text,
                                    .act = text,
                                    .sid = text};
    const kc_audit_origin_t origin = {
        .client = text, .issuer = text, .server = text, .address = text, .agent = text};
    char line[KC_AUDIT_LINE_MAX];
    size_t len = kc_audit_line_write(&event, &origin, line);
    const kc_json_t *parsed;
    const char *agent;

    HOLDS(len <= KC_AUDIT_LINE_MAX && memchr(line, '\n', len) == line + len - 1);
    HOLDS(kc_json_parse(line, len - 1, pool, &parsed, NULL) == KC_OK);
    HOLDS(kc_json_size(parsed) == 20);
    agent = kc_json_member_string(parsed, "agent");
    HOLDS(!*text == !agent);
    if (agent && strstr(agent, "\xef\xbf\xbd") && !strstr(text, "\xef\xbf\xbd"))
        reach_note(REPLACED);
    if (agent && strlen(agent) < strlen(text) && strstr(agent, "\xe2\x80\xa6"))
        reach_note(CUT);
}

static void check(const char *text, apr_pool_t *pool)
{
    static const unsigned char random[KC_TRACE_CONTEXT_RANDOM] = {1};
    kc_trace_context_t trace, again;

    check_line(text, pool);
    if (kc_trace_context_make(text, random, &trace)) {
        HOLDS(strncmp(trace.id, text + 3, KC_TRACE_CONTEXT_ID) == 0);
        reach_note(KNOWN_TRACE);
    }
    HOLDS(strlen(trace.header) == KC_TRACE_CONTEXT_HEADER);
    HOLDS(strlen(trace.id) == KC_TRACE_CONTEXT_ID);
    HOLDS(kc_trace_context_make(trace.header, random, &again) == 1);
    HOLDS(!strcmp(trace.header, again.header));
    if (kc_trace_context_is_state(text)) {
        HOLDS(!strpbrk(text, "\r\n"));
        reach_note(STATE);
    }
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
