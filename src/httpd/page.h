/* Our HTML pages.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_PAGE_H
#define AKC_PAGE_H

#include "module.h"

/* A whole page. title, html and foot: HTML, escaped already. In r's pool, as all here. */
const char *akc_page_make(request_rec *r, const char *title, const char *html, const char *foot);
/* The page of an error: what happened, what the person can do, tag and request id. */
const char *akc_page_error(akc_request_t *request, request_rec *r, const kc_err_t *err);

#endif
