/* Answers for one user stay out of shared caches, and no backend sets this module's cookies.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_ANSWERS_H
#define AKC_ANSWERS_H

#include "module.h"

/* At start, when all modules are loaded. */
void akc_answers_start(void);
/* From now on the answer to the request is for its user: shared caches are told not to keep it,
 * unless the answer itself says "public". Cheap, because it runs for every request with a
 * session. */
void akc_answers_are_for_one(akc_request_t *request, request_rec *r);
/* No cache may keep the answer to the request. */
void akc_answers_are_for_nobody(akc_request_t *request, request_rec *r);
/* Removes from the answer cookies with this module's names, and headers that clear all cookies. */
void akc_answers_drop_cookies(request_rec *r);
void akc_answers_register(apr_pool_t *pool);

#endif
