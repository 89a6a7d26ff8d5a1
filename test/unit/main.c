/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the unit tests of src/core: every suite of test/unit, or the ones named as arguments. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

/* suites.def is made by the Makefile: one KC_SUITE(name) for each test_name.c, here or in a room.
 */
#define KC_SUITE(name) Suite *kc_test_##name(void);
#include "suites.def"
#undef KC_SUITE

typedef struct {
    const char *name;
    Suite *(*make)(void);
} suite_t;

static const suite_t suites[] = {
#define KC_SUITE(name) {#name, kc_test_##name},
#include "suites.def"
#undef KC_SUITE
};

static const size_t suites_count = sizeof(suites) / sizeof(suites[0]);

static const suite_t *find(const char *name)
{
    for (size_t i = 0; i < suites_count; i++) {
        if (!strcmp(suites[i].name, name))
            return &suites[i];
    }
    return NULL;
}

static void explain(const char *name)
{
    fprintf(stderr, "no unit test suite '%s'; there are:", name);
    for (size_t i = 0; i < suites_count; i++)
        fprintf(stderr, " %s", suites[i].name);
    fprintf(stderr, "\n");
}

/* Runs one suite by itself and adds up; a suite that holds no test counts as a failure. */
static void run(const suite_t *suite, int *passed, int *failed)
{
    SRunner *runner = srunner_create(suite->make());
    int ran;
    int bad;

    srunner_run_all(runner, CK_ENV);
    ran = srunner_ntests_run(runner);
    bad = srunner_ntests_failed(runner);
    if (ran == 0) {
        printf("not ok suite %s holds no test\n", suite->name);
        bad = ran = 1;
    }
    *passed += ran - bad;
    *failed += bad;
    srunner_free(runner);
}

int main(int argc, char **argv)
{
    int passed = 0;
    int failed = 0;

    if (apr_initialize() != APR_SUCCESS) {
        fprintf(stderr, "APR does not start\n");
        return EXIT_FAILURE;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        if (!find(argv[i])) {
            explain(argv[i]);
            return EXIT_FAILURE;
        }
    }
    for (size_t i = 0; argc == 1 && i < suites_count; i++)
        run(&suites[i], &passed, &failed);
    for (int i = 1; i < argc; i++)
        run(find(argv[i]), &passed, &failed);
    apr_terminate();
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
