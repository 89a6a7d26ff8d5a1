/* Answers for one person stay out of shared caches; no backend sets our cookies.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_ANSWERS_H
#define AKC_ANSWERS_H

#include "module.h"

/* At start, when all modules are there. */
void akc_answers_start(void);
/* From now on what is answered to the request is for whoever has sent it: shared caches are told
 * not to keep it, unless the answer itself says "public". Cheap: every request with a session comes
 * by. */
void akc_answers_are_for_one(akc_request_t *request, request_rec *r);
/* No cache keeps what is answered to the request. */
void akc_answers_are_for_nobody(akc_request_t *request, request_rec *r);
/* Takes cookies that are named like ours, and what clears all cookies, out of what is to be
 * answered. */
void akc_answers_drop_cookies(request_rec *r);
void akc_answers_register(apr_pool_t *pool);

#endif
