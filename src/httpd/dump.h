/* httpd -t -D DUMP_KEYCLOAK: the effective settings of each server, for people.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_DUMP_H
#define AKC_DUMP_H

#include "module.h"

/* Prints them to standard output, when httpd was called with -D DUMP_KEYCLOAK. */
void akc_dump_print(apr_pool_t *pconf, server_rec *main);

#endif
