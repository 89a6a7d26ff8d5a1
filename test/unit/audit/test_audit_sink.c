/* Tests of audit_sink.h: files, pipes whose reader stops, a full disk, the system's log.
 * SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit_sink.h"

#include <apr_strings.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "audit/audit_line.h"
#include "testlib.h"

Suite *kc_test_audit_sink(void);

enum { MORE_THAN_A_PIPE_HAS = 1000 /* lines */ };

static unsigned int lost;
static int error;

static kc_audit_sink_result_t put(kc_audit_sink_t *sink, const char *text)
{
    return kc_audit_sink_write(sink, text, strlen(text), &lost, &error);
}

START_TEST(lines_are_appended_to_a_file)
{
    char path[] = "/tmp/kc_audit_sink.XXXXXX", read_back[64] = "";
    int fd = mkstemp(path);
    kc_audit_sink_t *sink = kc_audit_sink_to_file(fd, testlib_pool);

    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq((int)put(sink, "one\n"), KC_AUDIT_SINK_WRITTEN);
    ck_assert_int_eq((int)put(sink, "two\n"), KC_AUDIT_SINK_WRITTEN);
    ck_assert_int_eq((int)pread(fd, read_back, sizeof(read_back) - 1, 0), 8);
    ck_assert_str_eq(read_back, "one\ntwo\n");
    ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(a_full_disk_is_said_once)
{
    int fd = open("/dev/full", O_WRONLY);
    kc_audit_sink_t *sink = kc_audit_sink_to_file(fd, testlib_pool);

    ck_assert_int_eq((int)put(sink, "one\n"), KC_AUDIT_SINK_LOST);
    ck_assert_int_eq(error, ENOSPC);
    ck_assert_int_eq((int)put(sink, "two\n"), KC_AUDIT_SINK_STILL);
    ck_assert_uint_eq(lost, 2);
    ck_assert_uint_eq(kc_audit_sink_lost(sink), 2);
    ck_assert_int_eq(close(fd), 0);
}
END_TEST

/* The first line that finds no room waits; those after it do not, or this would take minutes. */
START_TEST(a_reader_that_stops_holds_nobody_and_what_is_lost_is_counted)
{
    char text[KC_AUDIT_LINE_MAX + 1], drained[65536];
    kc_audit_sink_t *sink;
    kc_audit_sink_result_t result;
    int ends[2], written = 0, i;

    memset(text, 'x', KC_AUDIT_LINE_MAX);
    text[KC_AUDIT_LINE_MAX - 1] = '\n';
    text[KC_AUDIT_LINE_MAX] = '\0';
    ck_assert_int_eq(pipe(ends), 0);
    sink = kc_audit_sink_to_file(ends[1], testlib_pool);
    ck_assert(!(fcntl(ends[0], F_GETFL) & O_NONBLOCK)); /* the program's input stays as it is */
    while ((result = put(sink, text)) == KC_AUDIT_SINK_WRITTEN)
        written++;
    ck_assert_int_eq((int)result, KC_AUDIT_SINK_LOST);
    ck_assert_int_eq(error, EAGAIN);
    for (i = 1; i < MORE_THAN_A_PIPE_HAS; i++)
        ck_assert_int_eq((int)put(sink, text), KC_AUDIT_SINK_STILL);
    ck_assert_uint_eq(kc_audit_sink_lost(sink), MORE_THAN_A_PIPE_HAS);
    for (i = 0; i < written * KC_AUDIT_LINE_MAX;) {
        ssize_t got = read(ends[0], drained, sizeof(drained));

        ck_assert_int_gt((int)got, 0);
        i += (int)got;
    }
    ck_assert_int_eq((int)put(sink, text), KC_AUDIT_SINK_BACK);
    ck_assert_uint_eq(lost, MORE_THAN_A_PIPE_HAS);
    ck_assert_uint_eq(kc_audit_sink_lost(sink), 0);
    ck_assert_int_eq((int)put(sink, text), KC_AUDIT_SINK_WRITTEN);
    (void)close(ends[0]);
    (void)close(ends[1]);
}
END_TEST

/* ---------------------------------------------------------------- syslog */

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    (void)apr_cpystrn(address.sun_path, path, sizeof(address.sun_path));
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)(const void *)&address, sizeof(address)), 0);
    return fd;
}

static const char *take(int fd)
{
    char *text = apr_pcalloc(testlib_pool, KC_AUDIT_LINE_MAX * 2);

    ck_assert_int_gt((int)recv(fd, text, KC_AUDIT_LINE_MAX * 2 - 1, 0), 0);
    return text;
}

START_TEST(the_systems_log_may_come_late_and_be_started_anew)
{
    char folder[] = "/tmp/kc_audit_sink.XXXXXX";
    const char *path;
    kc_audit_sink_t *sink;
    const char *text;
    int fd;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    path = apr_pstrcat(testlib_pool, folder, "/log", NULL);
    ck_assert_int_eq(kc_audit_sink_to_syslog("authpriv:gate", path, testlib_pool, &sink, NULL),
                     KC_OK);
    ck_assert_int_eq((int)put(sink, "{}\n"), KC_AUDIT_SINK_LOST);
    fd = listen_at(path);
    ck_assert_int_eq((int)put(sink, "{\"a\":1}\n"), KC_AUDIT_SINK_BACK);
    text = take(fd);
    ck_assert_msg(!strncmp(text, "<85>", 4), "%s", text); /* authpriv 10 * 8 + notice 5 */
    ck_assert_ptr_nonnull(strstr(text, " gate["));
    ck_assert_str_eq(text + strlen(text) - 9, ": {\"a\":1}");
    (void)close(fd);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq((int)put(sink, "{}\n"), KC_AUDIT_SINK_LOST);
    fd = listen_at(path);
    ck_assert_int_eq((int)put(sink, "{}\n"), KC_AUDIT_SINK_BACK);
    (void)close(fd);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(a_system_log_that_reads_nothing_holds_nobody)
{
    char folder[] = "/tmp/kc_audit_sink.XXXXXX";
    const char *path;
    kc_audit_sink_t *sink;
    int fd, i;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    path = apr_pstrcat(testlib_pool, folder, "/log", NULL);
    fd = listen_at(path);
    ck_assert_int_eq(kc_audit_sink_to_syslog("", path, testlib_pool, &sink, NULL), KC_OK);
    for (i = 0; i < MORE_THAN_A_PIPE_HAS * 10 && put(sink, "{}\n") == KC_AUDIT_SINK_WRITTEN; i++)
        ;
    ck_assert_int_eq(error, EAGAIN);
    for (i = 0; i < MORE_THAN_A_PIPE_HAS; i++)
        ck_assert_int_eq((int)put(sink, "{}\n"), KC_AUDIT_SINK_STILL);
    (void)close(fd);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

Suite *kc_test_audit_sink(void)
{
    Suite *suite = suite_create("audit_sink");
    TCase *tests = tcase_create("audit_sink");

    tcase_add_checked_fixture(tests, testlib_setup, testlib_teardown);
    tcase_add_test(tests, lines_are_appended_to_a_file);
    tcase_add_test(tests, a_full_disk_is_said_once);
    tcase_add_test(tests, a_reader_that_stops_holds_nobody_and_what_is_lost_is_counted);
    tcase_add_test(tests, the_systems_log_may_come_late_and_be_started_anew);
    tcase_add_test(tests, a_system_log_that_reads_nothing_holds_nobody);
    suite_add_tcase(suite, tests);
    return suite;
}
