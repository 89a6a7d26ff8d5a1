/* httpd -t -D KEYCLOAK_CHECK: asks Keycloak and the stores whether the settings are right.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_ASK_H
#define AKC_ASK_H

#include "module.h"

/* A hook of httpd -t. Without -D KEYCLOAK_CHECK it does nothing. Otherwise it asks for each server
 * and virtual host, and writes the report to the standard output: text, or JSON when the
 * environment has KEYCLOAK_CHECK=json. When a check has failed the process exits with status 1. */
void akc_ask_test(apr_pool_t *pconf, server_rec *main);

#endif
