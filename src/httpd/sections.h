/* What the sections of each server say: read once at start.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_SECTIONS_H
#define AKC_SECTIONS_H

#include "module.h"

typedef enum {
    AKC_SECTIONS_NOTHING,
    AKC_SECTIONS_TYPE,    /* AuthType Keycloak */
    AKC_SECTIONS_FOREIGN, /* AuthType of another kind */
    AKC_SECTIONS_ASKING,  /* a Require that depends on who somebody is */
    AKC_SECTIONS_REQUIRE, /* any other Require */
    AKC_SECTIONS_HANDLER, /* SetHandler, of whatever name */
    AKC_SECTIONS_PROXY    /* hands requests on before httpd looks for a file: ProxyPass, RewriteRule
                           * [P]
                           */
} akc_sections_kind_t;

/* A directive and the section that it is for. */
typedef struct akc_sections_line_t {
    akc_sections_kind_t kind;
    const ap_directive_t *node;
    const ap_directive_t *section; /* the innermost one; NULL: none */
    /* Of a <Location>, or the one below which a proxy hands requests on; NULL: of another section,
     * or of none. */
    const char *path;
    const char *word; /* the directive's first */
} akc_sections_line_t;

/* What a server says itself. */
typedef struct akc_sections_t {
    const ap_directive_t *host; /* its <VirtualHost>; NULL: the main server */
    apr_array_header_t *list;   /* akc_sections_line_t, at any depth, in their order */
} akc_sections_t;

/* At start, as all here: of all servers, the main server first (array of akc_sections_t, in pool).
 */
apr_array_header_t *akc_sections_read(apr_pool_t *pool);
/* A server's own. */
const akc_sections_t *akc_sections_of(const apr_array_header_t *all, const server_rec *server);
/* The first SetHandler with this name; NULL: there is none. */
const ap_directive_t *akc_sections_handler(const akc_sections_t *places, const char *name);
/* 1 when what stands at one place may hold for all of the other: in the same section, in a
 * <Location> around it, or where one of them is in a section of which that is not known. */
int akc_sections_may_cover(const akc_sections_line_t *above, const akc_sections_line_t *below);

#endif
