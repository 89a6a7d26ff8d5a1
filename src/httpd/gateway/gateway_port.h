/* Whether a gateway calls the port of a request.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AKC_GATEWAY_PORT_H
#define AKC_GATEWAY_PORT_H

#include "module.h"

/* 1 when the request's port or virtual host has SetHandler keycloak-judge: a gateway would read any
 * 200 there as "allowed". A gateway calls a port, and a client's Host header chooses among the
 * virtual hosts there. */
int akc_gateway_port_is_met(request_rec *r);

#endif
