/* A check of a fake site, for the suites of test/unit/check.
 * SPDX-License-Identifier: Apache-2.0 */
#include "checking.h"

#include <check.h>
#include <string.h>

#include "check/check_discovery.h"
#include "testlib.h"

kc_fake_site_t *checking_site;
kc_check_report_t checking_report;
kc_check_t checking;

void checking_setup(void)
{
    testlib_setup();
    checking_site = kc_fake_site_make(testlib_pool);
    kc_check_report_init(&checking_report, testlib_pool);
    memset(&checking, 0, sizeof(checking));
    checking.name = "site";
    checking.rp = checking_site->rp;
    checking.report = &checking_report;
    checking.client = &checking_site->client;
    checking.pool = testlib_pool;
    kc_fake_site_provide(checking_site, kc_fake_site_metadata(checking_site, ""), "{\"keys\":[]}");
}

void checking_setup_discovered(void)
{
    checking_setup();
    kc_check_discovery_ask(&checking);
    ck_assert_ptr_nonnull(checking.provider);
    apr_array_clear(checking_report.results);
}

const kc_check_result_t *checking_find(const char *name)
{
    const kc_check_result_t *found = NULL;
    int i;

    for (i = 0; i < checking_report.results->nelts; i++) {
        const kc_check_result_t *result =
            &APR_ARRAY_IDX(checking_report.results, i, kc_check_result_t);

        if (strcmp(result->name, name) == 0) {
            ck_assert_ptr_null(found);
            found = result;
        }
    }
    ck_assert_msg(found != NULL, "no %s in:\n%s", name,
                  kc_check_report_text(&checking_report, testlib_pool));
    return found;
}

int checking_count(const char *name)
{
    int i, count = 0;

    for (i = 0; i < checking_report.results->nelts; i++)
        count +=
            strcmp(APR_ARRAY_IDX(checking_report.results, i, kc_check_result_t).name, name) == 0;
    return count;
}

void checking_assert(const char *name, kc_check_outcome_t outcome, const char *text,
                     const char *cure)
{
    const kc_check_result_t *result = checking_find(name);

    ck_assert_msg(result->outcome == outcome, "%s",
                  kc_check_report_text(&checking_report, testlib_pool));
    ck_assert_msg(strstr(result->sentence, text) != NULL, "%s", result->sentence);
    ck_assert_msg(strstr(result->cure, cure) != NULL, "%s", result->cure);
}
