/* A loopback server for tests.
 * SPDX-License-Identifier: Apache-2.0 */
#include "listener.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    CLIENTS_MAX = 64,
    PORT_FIRST = 10000, /* below those that the system gives to outgoing connections */
    PORTS = 20000
};

typedef struct {
    listener_t *listener;
    pthread_t thread;
    int socket;
} client_t;

struct listener_t {
    listener_serve_t *serve;
    void *context;
    int socket;
    int port;
    int count; /* atomic */
    pthread_t thread;
    client_t clients[CLIENTS_MAX];
};

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in address;

    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int bind_free(int *port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* The socket stays open until listener_stop, so that its number is nobody else's then. */
static void *client_run(void *data)
{
    client_t *client = data;

    client->listener->serve(client->socket, client->listener->context);
    (void)shutdown(client->socket, SHUT_RDWR);
    return NULL;
}

static void *listener_run(void *data)
{
    listener_t *listener = data;

    for (;;) {
        client_t *client = &listener->clients[listener->count];
        int fd = accept(listener->socket, NULL, NULL);

        if (fd < 0)
            return NULL;
        client->listener = listener;
        client->socket = fd;
        if (listener->count == CLIENTS_MAX - 1 ||
            pthread_create(&client->thread, NULL, client_run, client)) {
            (void)close(fd);
            return NULL;
        }
        (void)__atomic_add_fetch(&listener->count, 1, __ATOMIC_SEQ_CST);
    }
}

listener_t *listener_start(listener_serve_t *serve, void *context)
{
    listener_t *listener = calloc(1, sizeof(*listener));

    ck_assert_ptr_nonnull(listener);
    listener->serve = serve;
    listener->context = context;
    listener->socket = bind_free(&listener->port);
    ck_assert_int_eq(listen(listener->socket, CLIENTS_MAX), 0);
    ck_assert_int_eq(pthread_create(&listener->thread, NULL, listener_run, listener), 0);
    return listener;
}

int listener_port(const listener_t *listener)
{
    return listener->port;
}

int listener_count(const listener_t *listener)
{
    return __atomic_load_n(&listener->count, __ATOMIC_SEQ_CST);
}

void listener_stop(listener_t *listener)
{
    int i;

    (void)shutdown(listener->socket, SHUT_RDWR);
    (void)pthread_join(listener->thread, NULL);
    for (i = 0; i < listener->count; i++)
        (void)shutdown(listener->clients[i].socket, SHUT_RDWR);
    for (i = 0; i < listener->count; i++) {
        (void)pthread_join(listener->clients[i].thread, NULL);
        (void)close(listener->clients[i].socket);
    }
    (void)close(listener->socket);
    free(listener);
}

/* Whether the port is ours from now on: every test of the project takes this name first, and it is
 * given back when the process ends. */
static int is_reserved(int port)
{
    struct sockaddr_un name;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int len;

    ck_assert_int_ge(fd, 0);
    memset(&name, 0, sizeof(name));
    name.sun_family = AF_UNIX;
    /* without a file: the first byte is NUL */
    len = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "keycloak-test-port-%d", port);
    len += (int)offsetof(struct sockaddr_un, sun_path) + 1;
    if (!bind(fd, (struct sockaddr *)&name, (socklen_t)len))
        return 1;
    (void)close(fd);
    return 0;
}

static int is_free(int port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1, is_bound;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
    is_bound = !bind(fd, (struct sockaddr *)&address, sizeof(address));
    (void)close(fd);
    return is_bound;
}

int listener_free_port(void)
{
    static int next;
    int tries;

    if (!next)
        next = (int)getpid();
    for (tries = 0; tries < PORTS; tries++) {
        int port = PORT_FIRST + (next++ * 7) % PORTS;

        if (is_reserved(port) && is_free(port))
            return port;
    }
    ck_abort_msg("no free port");
    return 0;
}

int listener_send(int socket_fd, const void *data, size_t len)
{
    const char *next = data;

    while (len) {
        ssize_t sent = send(socket_fd, next, len, MSG_NOSIGNAL);

        if (sent <= 0)
            return 0;
        next += sent;
        len -= (size_t)sent;
    }
    return 1;
}

int listener_send_text(int socket_fd, const char *text)
{
    return listener_send(socket_fd, text, strlen(text));
}

/* How long a request is whose head ends at `end`. */
static size_t request_len(const char *request, const char *end)
{
    const char *line = strcasestr(request, "\r\nContent-Length:");
    size_t len = (size_t)(end - request) + 4;

    if (line && line < end)
        len += strtoul(line + 17, NULL, 10);
    return len;
}

int listener_read_request(int socket_fd, char *out, size_t size)
{
    size_t len = 0;

    while (len < size - 1) {
        ssize_t got = recv(socket_fd, out + len, size - 1 - len, 0);
        const char *end;

        if (got <= 0)
            return 0;
        len += (size_t)got;
        out[len] = '\0';
        end = strstr(out, "\r\n\r\n");
        if (end && len >= request_len(out, end))
            return 1;
    }
    return 0;
}
