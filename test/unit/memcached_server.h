/* A real memcached for tests, on a free loopback port.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_MEMCACHED_SERVER_H
#define KC_MEMCACHED_SERVER_H

#include <sys/types.h>

typedef struct {
    pid_t pid; /* 0: not running */
    int port;
    const char *text; /* host:port, in testlib_pool */
} memcached_server_t;

/* Returns when it listens; ends the test, with what to install, when it does not. */
void memcached_server_start(memcached_server_t *server, int port);
/* Kills it, if it runs. */
void memcached_server_end(memcached_server_t *server);
/* Stops it as SIGSTOP does; returns when it has stopped indeed. */
void memcached_server_stop(const memcached_server_t *server);

#endif
