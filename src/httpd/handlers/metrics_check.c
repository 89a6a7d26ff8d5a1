/* At start: who can read the metrics.
 * SPDX-License-Identifier: Apache-2.0 */
#include "handlers/metrics_check.h"

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

/* A virtual host with nothing but the metrics, at a port that only Prometheus reaches, needs no
 * Require. */
static int is_alone(const akc_sections_t *own, const akc_sections_line_t *handler)
{
    return own->host && (!handler->section || (handler->path && strcmp(handler->path, "/") == 0));
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
                is_alone(own, line))
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
