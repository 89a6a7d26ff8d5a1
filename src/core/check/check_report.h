/* The report of a check: one result for each thing that was asked, as text or JSON.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_CHECK_REPORT_H
#define KC_CHECK_REPORT_H

#include <apr_pools.h>
#include <apr_tables.h>

#include "base/err.h"

typedef enum {
    KC_CHECK_OK,
    KC_CHECK_WARNING, /* it works, but something about it should be changed */
    KC_CHECK_FAILED,
    KC_CHECK_UNKNOWN, /* it cannot be found out from here */
    KC_CHECK_SKIPPED, /* it was not asked, because something else has failed */
    KC_CHECK_OUTCOMES
} kc_check_outcome_t;

enum { KC_CHECK_REPORT_TEXT_MAX = 1000 /* bytes of a sentence or cure before it is escaped */ };

/* One line. All texts are escaped, and without secrets. */
typedef struct kc_check_result_t {
    const char *server; /* of which server or virtual host */
    const char *name;   /* SUBJECT.WHAT, such as "issuer.tls" */
    kc_check_outcome_t outcome;
    const char *tag; /* of the log line that requests cause while it is so; "" when there is none */
    const char *sentence;
    const char *cure; /* "" when it is well */
} kc_check_result_t;

/* Not thread safe. */
typedef struct kc_check_report_t {
    apr_pool_t *pool;
    const char *server;          /* of the results to come */
    apr_array_header_t *results; /* kc_check_result_t */
    apr_array_header_t *secrets; /* const char *; private */
} kc_check_report_t;

void kc_check_report_init(kc_check_report_t *report, apr_pool_t *pool);
/* Names the server of the results to come; copied. */
void kc_check_report_begin(kc_check_report_t *report, const char *server);
/* Whatever is added afterwards has "(secret)" in place of this text. NULL, and texts under four
 * bytes, which could be part of any word, do nothing. It must outlive the report. */
void kc_check_report_hide(kc_check_report_t *report, const char *secret);

/* Adds a result that is well. name is static. Foreign text is escaped: bytes that are not printable
 * ASCII become \xNN. */
void kc_check_report_ok(kc_check_report_t *report, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A result that is not well. */
typedef struct kc_check_fault_t {
    kc_check_outcome_t outcome;
    const char *name;   /* static */
    kc_reason_t reason; /* whose tag it gets; KC_ERR_NONE: none */
    const char *cure;   /* what an administrator can do, as a sentence without its full stop; not
                           NULL */
} kc_check_fault_t;

void kc_check_report_add(kc_check_report_t *report, const kc_check_fault_t *fault,
                         const char *format, ...) __attribute__((format(printf, 3, 4)));

/* How many results have this outcome. */
int kc_check_report_count(const kc_check_report_t *report, kc_check_outcome_t outcome);
/* One line for each result, and a last one that counts them; in pool. */
char *kc_check_report_text(const kc_check_report_t *report, apr_pool_t *pool);
/* The same results as one JSON object and a newline; in pool. */
char *kc_check_report_json(const kc_check_report_t *report, apr_pool_t *pool);

#endif
