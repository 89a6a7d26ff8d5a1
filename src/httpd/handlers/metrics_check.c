/* At start: who can read the metrics.
 * SPDX-License-Identifier: Apache-2.0 */
#include "handlers/metrics_check.h"

#include <apr_strings.h>
#include <string.h>

#include "log.h"
#include "phase.h"
#include "sections.h"

static int is_require(const akc_sections_line_t *line)
{
    return line->kind == AKC_SECTIONS_REQUIRE || line->kind == AKC_SECTIONS_ASKING;
}

static int is_barrier(const akc_sections_line_t *line)
{
    return is_require(line) && strcasecmp(line->node->args, "all granted") != 0;
}

static int is_beside(const akc_sections_line_t *line, const akc_sections_line_t *handler)
{
    return line->section == handler->section;
}

/* Of the directives of one server: whether Require lines stand beside the handler, and whether one
 * of the lines that count keeps anybody out. */
static void look(const akc_sections_t *sections, const akc_sections_line_t *handler, int *has_own,
                 int *has_barrier)
{
    int i;

    for (i = 0; i < sections->list->nelts; i++) {
        const akc_sections_line_t *line = &APR_ARRAY_IDX(sections->list, i, akc_sections_line_t);

        if (is_beside(line, handler) && is_require(line) && !*has_own) {
            *has_own = 1;
            *has_barrier = 0;
        }
        if (is_barrier(line) &&
            (*has_own ? is_beside(line, handler) : akc_sections_may_cover(line, handler)))
            *has_barrier = 1;
    }
}

/* The Require lines of a section replace those around it. */
static int is_closed(const apr_array_header_t *all, const akc_sections_t *own,
                     const akc_sections_line_t *handler)
{
    int has_own = 0, has_barrier = 0;

    look(&APR_ARRAY_IDX(all, 0, akc_sections_t), handler, &has_own, &has_barrier);
    if (own->host)
        look(own, handler, &has_own, &has_barrier);
    return has_barrier;
}

static const char *port_at(const char *address)
{
    const char *port = strrchr(address, ':');

    return port ? port : ":*";
}

/* The length of the host in ADDRESS:PORT; 0: any. */
static size_t host_length(const char *address)
{
    const char *port = strrchr(address, ':');
    size_t len = port ? (size_t)(port - address) : strlen(address);

    return (len == 1 && *address == '*') || strncasecmp(address, "_default_", len) == 0 ? 0 : len;
}

/* 1 when httpd chooses between two virtual hosts by the name that the client gives. One with an
 * address of its own is chosen before those of any address. */
static int may_meet(const char *one, const char *other)
{
    const char *port = port_at(one), *others = port_at(other);
    const size_t len = host_length(one);

    return len == host_length(other) && strncasecmp(one, other, len) == 0 &&
           (strcmp(port, ":*") == 0 || strcmp(others, ":*") == 0 || strcmp(port, others) == 0);
}

static int has_address_of(const char *address, const char *addresses, apr_pool_t *pool)
{
    const char *other;

    while (*(other = ap_getword_conf(pool, &addresses))) {
        if (may_meet(address, other))
            return 1;
    }
    return 0;
}

/* The arguments of a section end with its ">". */
static const char *addresses_of(const akc_sections_t *sections, apr_pool_t *pool)
{
    const char *text = sections->host->args;

    return apr_pstrndup(pool, text, strcspn(text, ">"));
}

/* 1 when no other virtual host has one of its addresses and ports: a client may give any name. */
static int has_own_address(const apr_array_header_t *all, const akc_sections_t *own,
                           apr_pool_t *pool)
{
    const char *address, *addresses = addresses_of(own, pool);
    int i;

    while (*(address = ap_getword_conf(pool, &addresses))) {
        for (i = 0; i < all->nelts; i++) {
            const akc_sections_t *other = &APR_ARRAY_IDX(all, i, akc_sections_t);

            if (other->host && other->host != own->host &&
                has_address_of(address, addresses_of(other, pool), pool))
                return 0;
        }
    }
    return 1;
}

/* A virtual host with nothing but the metrics, at a port that only Prometheus reaches, needs no
 * Require. */
static int is_alone(const apr_array_header_t *all, const akc_sections_t *own,
                    const akc_sections_line_t *handler, apr_pool_t *pool)
{
    return own->host && (!handler->section || (handler->path && strcmp(handler->path, "/") == 0)) &&
           has_own_address(all, own, pool);
}

static void warn(server_rec *main, apr_pool_t *pool)
{
    const apr_array_header_t *all = akc_sections_read(pool);
    int i, k;

    for (i = 0; i < all->nelts; i++) {
        const akc_sections_t *own = &APR_ARRAY_IDX(all, i, akc_sections_t);

        for (k = 0; k < own->list->nelts; k++) {
            const akc_sections_line_t *line = &APR_ARRAY_IDX(own->list, k, akc_sections_line_t);

            if (line->kind != AKC_SECTIONS_HANDLER ||
                strcmp(line->word, AKC_ENDPOINTS_METRICS) != 0 || is_closed(all, own, line) ||
                is_alone(all, own, line, pool))
                continue;
            AKC_LOG_SERVER(main, KC_ERR_EVENT_METRICS_OPEN,
                           "SetHandler " AKC_ENDPOINTS_METRICS
                           " (line %d of %s) beside other pages: everybody who reaches them can "
                           "read the metrics. Add Require ip ADDRESS, or give the metrics a "
                           "virtual host and a port of their own",
                           line->node->line_num, line->node->filename);
        }
    }
}

int akc_metrics_check_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                            server_rec *main)
{
    (void)pconf;
    (void)plog;
    if (akc_phase_is_test())
        warn(main, ptemp);
    return OK;
}

int akc_metrics_check_start(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                            server_rec *main)
{
    (void)pconf;
    (void)plog;
    if (!akc_phase_is_trial())
        warn(main, ptemp);
    return OK;
}
