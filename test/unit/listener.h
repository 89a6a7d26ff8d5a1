/* A loopback server for tests; each connection has its own thread.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_LISTENER_H
#define KC_LISTENER_H

#include <stddef.h>

/* Talks to one client; returns when it is done, or when reading or writing fails. The socket is
 * closed for it. */
typedef void listener_serve_t(int socket, void *context);

typedef struct listener_t listener_t;

/* Listens on a free port of 127.0.0.1. Ends the test when it cannot. */
listener_t *listener_start(listener_serve_t *serve, void *context);
int listener_port(const listener_t *listener);
/* Connections accepted so far. */
int listener_count(const listener_t *listener);
/* Cuts all connections, waits for the threads and frees the listener. */
void listener_stop(listener_t *listener);

/* A port of 127.0.0.1 at which nobody listens, and which no other test of the project is given
 * until this process ends. Not thread safe. */
int listener_free_port(void);
/* 0 when the client is gone. */
int listener_send(int socket, const void *data, size_t len);
int listener_send_text(int socket, const char *text);
/* Reads an HTTP request, its body by Content-Length included, as text with a NUL; 0 when there is
 * none. */
int listener_read_request(int socket, char *out, size_t size);

#endif
