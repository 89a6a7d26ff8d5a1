/* The sections of each server's configuration, read once at start.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_SECTIONS_H
#define AKC_SECTIONS_H

#include "module.h"

typedef enum {
    AKC_SECTIONS_NOTHING,
    AKC_SECTIONS_TYPE,    /* AuthType Keycloak */
    AKC_SECTIONS_FOREIGN, /* another AuthType */
    AKC_SECTIONS_ASKING,  /* a Require that depends on the user */
    AKC_SECTIONS_REQUIRE, /* any other Require */
    AKC_SECTIONS_STEP_UP, /* KeycloakRequireACR, KeycloakMaxAge */
    AKC_SECTIONS_HANDLER, /* SetHandler, with any name */
    AKC_SECTIONS_OTHER,   /* any other line of a section */
    AKC_SECTIONS_PROXY    /* forwards requests before httpd looks for a file: ProxyPass, RewriteRule
                             [P] */
} akc_sections_kind_t;

/* A directive and its section. */
typedef struct akc_sections_line_t {
    akc_sections_kind_t kind;
    const ap_directive_t *node;
    const ap_directive_t *section; /* the innermost one; NULL: none */
    /* The path of a <Location>, or the path below which a proxy forwards requests. NULL: of another
     * section, or of none. */
    const char *path;
    const char *word; /* the first argument of the directive */
} akc_sections_line_t;

/* The directives of one server. */
typedef struct akc_sections_t {
    const ap_directive_t *host; /* its <VirtualHost>; NULL: the main server */
    apr_array_header_t *list;   /* akc_sections_line_t, at any depth, in their order */
} akc_sections_t;

/* At start, like all functions here: the directives of all servers, the main server first (array of
 * akc_sections_t, in pool). */
apr_array_header_t *akc_sections_read(apr_pool_t *pool);
/* Those of one server. */
const akc_sections_t *akc_sections_of(const apr_array_header_t *all, const server_rec *server);
/* The first argument of a directive, or of a section, in pool. */
const char *akc_sections_word(const ap_directive_t *node, apr_pool_t *pool);
/* The first SetHandler with this name; NULL: there is none. */
const ap_directive_t *akc_sections_handler(const akc_sections_t *sections, const char *name);
/* 1 when `above` may apply to everything that `below` applies to: it is in the same section, or in
 * a <Location> around it, or one of them is in a section whose scope is not known. */
int akc_sections_may_cover(const akc_sections_line_t *above, const akc_sections_line_t *below);

#endif
