/* What else answers where a judge does, and must not: looked for when httpd starts.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <string.h>

#include "mod_auth_keycloak.h"

APLOG_USE_MODULE(auth_keycloak);

/* Handlers that SetHandler names in a server, at any depth; the first place of each. */
typedef struct found_t {
    const ap_directive_t *judge, *sessions;
} found_t;

static int is_opening(const ap_directive_t *node, const char *name)
{
    return strcasecmp(node->directive, name) == 0;
}

static void note(found_t *found, const ap_directive_t *node, apr_pool_t *pool)
{
    const char *arguments = node->args;
    const char *name = ap_getword_conf(pool, &arguments);

    if (strcmp(name, AKC_ENDPOINTS_JUDGE) == 0 && !found->judge)
        found->judge = node;
    if (strcmp(name, AKC_ENDPOINTS_SESSIONS) == 0 && !found->sessions)
        found->sessions = node;
}

/* All below a node and beside it, except for what belongs to virtual hosts. */
static void search(found_t *found, const ap_directive_t *node, apr_pool_t *pool)
{
    for (; node; node = node->next) {
        if (is_opening(node, "<VirtualHost"))
            continue;
        if (is_opening(node, "SetHandler"))
            note(found, node, pool);
        search(found, node->first_child, pool);
    }
}

/* A virtual host has the main server's places as well as its own. */
static int check(const found_t *found, server_rec *main)
{
    if (!found->judge || !found->sessions)
        return OK;
    ap_log_error(APLOG_MARK, APLOG_EMERG, 0, main,
                 "%s: SetHandler %s (line %d of %s) and SetHandler %s (line %d of %s) exclude each "
                 "other in one virtual host: to a gateway the list would be a yes",
                 kc_err_row(KC_ERR_CONFIG)->tag, AKC_ENDPOINTS_SESSIONS, found->sessions->line_num,
                 found->sessions->filename, AKC_ENDPOINTS_JUDGE, found->judge->line_num,
                 found->judge->filename);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* --- other virtual hosts at the judge's address --- */

static int is_any(const apr_sockaddr_t *address)
{
    static const unsigned char zeros[16] = {0};

    return (size_t)address->ipaddr_len <= sizeof(zeros) &&
           memcmp(address->ipaddr_ptr, zeros, (size_t)address->ipaddr_len) == 0;
}

static int is_met(const server_addr_rec *one, const server_addr_rec *other)
{
    if (one->host_port && other->host_port && one->host_port != other->host_port)
        return 0;
    return is_any(one->host_addr) || is_any(other->host_addr) ||
           apr_sockaddr_equal(one->host_addr, other->host_addr);
}

static int shares_address(const server_rec *one, const server_rec *other)
{
    const server_addr_rec *mine, *its;

    for (mine = one->addrs; mine; mine = mine->next) {
        for (its = other->addrs; its; its = its->next) {
            if (is_met(mine, its))
                return 1;
        }
    }
    return 0;
}

static const ap_directive_t *judge_of(const server_rec *server, const apr_array_header_t *hosts,
                                      const found_t *founds)
{
    int i;

    for (i = 0; i < hosts->nelts; i++) {
        const ap_directive_t *node = APR_ARRAY_IDX(hosts, i, const ap_directive_t *);

        if (server->defn_name && strcmp(server->defn_name, node->filename) == 0 &&
            server->defn_line_number == (unsigned)node->line_num)
            return founds[i].judge;
    }
    return NULL;
}

/* Clients choose among them by their Host header, and the gateway takes any 200 for a yes. */
static void warn(server_rec *main, const apr_array_header_t *hosts, const found_t *founds)
{
    server_rec *judge, *other;

    for (judge = main->next; judge; judge = judge->next) {
        if (!judge_of(judge, hosts, founds))
            continue;
        for (other = main->next; other; other = other->next) {
            if (judge_of(other, hosts, founds) || !shares_address(judge, other))
                continue;
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, judge,
                         "the judge of %s (line %u of %s) shares its address with the virtual host "
                         "%s (line %u of %s), which clients of the gateway choose by their Host "
                         "header: what that answers with 200 is a yes. Give the judge a port of "
                         "its own",
                         judge->server_hostname, judge->defn_line_number, judge->defn_name,
                         other->server_hostname, other->defn_line_number, other->defn_name);
            break;
        }
    }
}

static void gather(apr_array_header_t *hosts, const ap_directive_t *node)
{
    for (; node; node = node->next) {
        if (is_opening(node, "<VirtualHost"))
            APR_ARRAY_PUSH(hosts, const ap_directive_t *) = node;
        else
            gather(hosts, node->first_child);
    }
}

int akc_neighbours_check(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *main)
{
    apr_array_header_t *hosts = apr_array_make(ptemp, 8, sizeof(const ap_directive_t *));
    found_t *founds, global = {NULL, NULL};
    int i;

    (void)pconf;
    (void)plog;
    search(&global, ap_conftree, ptemp);
    if (check(&global, main) != OK)
        return HTTP_INTERNAL_SERVER_ERROR;
    gather(hosts, ap_conftree);
    founds = apr_pcalloc(ptemp, ((size_t)hosts->nelts + 1) * sizeof(*founds));
    for (i = 0; i < hosts->nelts; i++) {
        founds[i] = global;
        search(&founds[i], APR_ARRAY_IDX(hosts, i, const ap_directive_t *)->first_child, ptemp);
        if (check(&founds[i], main) != OK)
            return HTTP_INTERNAL_SERVER_ERROR;
    }
    warn(main, hosts, founds);
    return OK;
}
