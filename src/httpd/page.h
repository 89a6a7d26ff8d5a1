/* The module's HTML pages.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_PAGE_H
#define AKC_PAGE_H

#include "module.h"

/* A complete page. title, html and foot: HTML, already escaped. In r's pool, like everything
 * here. */
const char *akc_page_make(request_rec *r, const char *title, const char *html, const char *foot);
/* An error page: what happened, what the user can do, tag and request id. */
const char *akc_page_error(akc_request_t *request, request_rec *r, const kc_err_t *err);

#endif
