/* Tests of trace_context.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/trace_context.h"

#include <check.h>
#include <string.h>

#include "testlib.h"

Suite *kc_test_trace_context(void);

#define ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static const unsigned char bytes[KC_TRACE_CONTEXT_RANDOM] = {
    0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b,
    0x1c, 0x1d, 0x1e, 0x1f, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7};
#define FRESH "101112131415161718191a1b1c1d1e1f"
#define NEXT "a0a1a2a3a4a5a6a7"

typedef struct {
    const char *came;
    const char *made;
} sample_t;

static const sample_t samples[] = {
    {NULL, "00-" FRESH "-" NEXT "-01"},
    {"00-" ID "-" SPAN "-01", "00-" ID "-" NEXT "-01"},
    {"00-" ID "-" SPAN "-00", "00-" ID "-" NEXT "-00"},
    {"00-" ID "-" SPAN "-ff", "00-" ID "-" NEXT "-01"},
    {"00-" ID "-" SPAN "-02", "00-" ID "-" NEXT "-00"},
    {"01-" ID "-" SPAN "-01", "00-" ID "-" NEXT "-01"},
    {"cc-" ID "-" SPAN "-01-more", "00-" ID "-" NEXT "-01"},
    /* and what is none */
    {"", NULL},
    {"00", NULL},
    {"00-" ID, NULL},
    {"00-" ID "-" SPAN, NULL},
    {"00-" ID "-" SPAN "-", NULL},
    {"00-" ID "-" SPAN "-0", NULL},
    {"00-" ID "-" SPAN "-01-", NULL},
    {"00-" ID "-" SPAN "-01 ", NULL},
    {" 00-" ID "-" SPAN "-01", NULL},
    {"01-" ID "-" SPAN "-01x", NULL},
    {"ff-" ID "-" SPAN "-01", NULL},
    {"0g-" ID "-" SPAN "-01", NULL},
    {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", NULL},
    {"00-00000000000000000000000000000000-" SPAN "-01", NULL},
    {"00-" ID "-0000000000000000-01", NULL},
    {"00_" ID "-" SPAN "-01", NULL},
    {"00-" ID "_" SPAN "-01", NULL},
    {"00-" ID "-" SPAN "_01", NULL},
    {"00-" ID "-" SPAN "-0x", NULL},
    {"00-" ID "-" SPAN "-01, 00-" ID "-" SPAN "-01", NULL},
};

START_TEST(a_header_is_read_strictly_and_made_anew)
{
    const sample_t *sample = &samples[_i];
    const char *made = sample->made ? sample->made : "00-" FRESH "-" NEXT "-01";
    kc_trace_context_t trace;

    memset(&trace, 'x', sizeof(trace));
    ck_assert_int_eq(kc_trace_context_make(sample->came, bytes, &trace),
                     sample->came && sample->made);
    ck_assert_str_eq(trace.header, made);
    ck_assert_uint_eq(strlen(trace.id), KC_TRACE_CONTEXT_ID);
    ck_assert_int_eq(strncmp(trace.id, made + 3, KC_TRACE_CONTEXT_ID), 0);
}
END_TEST

START_TEST(ids_are_never_zero)
{
    static const unsigned char zeros[KC_TRACE_CONTEXT_RANDOM];
    kc_trace_context_t trace;

    (void)kc_trace_context_make(NULL, zeros, &trace);
    ck_assert_str_eq(trace.header, "00-00000000000000000000000000000001-0000000000000001-01");
}
END_TEST

START_TEST(a_state_is_printable_and_bounded)
{
    char text[KC_TRACE_CONTEXT_STATE_MAX + 2];

    ck_assert(kc_trace_context_is_state("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"));
    ck_assert(!kc_trace_context_is_state(""));
    ck_assert(!kc_trace_context_is_state("a=\t"));
    ck_assert(!kc_trace_context_is_state("a=\xc3\xa9"));
    ck_assert(!kc_trace_context_is_state("a=\x7f"));
    memset(text, 'a', sizeof(text));
    text[KC_TRACE_CONTEXT_STATE_MAX] = '\0';
    ck_assert(kc_trace_context_is_state(text));
    text[KC_TRACE_CONTEXT_STATE_MAX] = 'a';
    text[KC_TRACE_CONTEXT_STATE_MAX + 1] = '\0';
    ck_assert(!kc_trace_context_is_state(text));
}
END_TEST

Suite *kc_test_trace_context(void)
{
    Suite *suite = suite_create("trace_context");
    TCase *tests = tcase_create("trace_context");

    tcase_add_loop_test(tests, a_header_is_read_strictly_and_made_anew, 0,
                        sizeof(samples) / sizeof(samples[0]));
    tcase_add_test(tests, ids_are_never_zero);
    tcase_add_test(tests, a_state_is_printable_and_bounded);
    suite_add_tcase(suite, tests);
    return suite;
}
