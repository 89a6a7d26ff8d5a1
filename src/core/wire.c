/* A TCP connection: no call blocks, and all waiting is kc_patience_wait's.
 * SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_SIZE = 8192 };

struct kc_wire_t {
    int fd;
    size_t start, end; /* of what was received and not read */
    unsigned char buffer[BUFFER_SIZE];
};

/* ---------------------------------------------------------------- connecting */

static void option(int fd, int level, int name, const void *value, socklen_t len)
{
    (void)setsockopt(fd, level, name, value, len);
}

static int socket_open(int family)
{
    const int on = 1;
    const struct linger at_once = {1, 0};
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    option(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    option(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    option(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    return fd;
}

/* Whether a connection that was begun has been made. */
static kc_wire_end_t connected(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len))
        return KC_WIRE_CUT;
    return error ? KC_WIRE_REFUSED : KC_WIRE_OK;
}

static kc_wire_end_t try(const kc_wire_address_t *address, int is_last, const kc_wire_time_t *time,
                         int *fd)
{
    kc_wire_end_t end = KC_WIRE_OK;
    int is_ready;

    *fd = socket_open(address->socket.ss_family);
    if (*fd < 0)
        return KC_WIRE_CUT;
    if (connect(*fd, (const struct sockaddr *)&address->socket, address->len)) {
        if (errno != EINPROGRESS && errno != EINTR) {
            end = errno == EAGAIN || errno == ENOBUFS ? KC_WIRE_CUT : KC_WIRE_REFUSED;
        } else {
            is_ready = is_last ? kc_patience_wait(time->patience, *fd, POLLOUT, time->breaker)
                               : kc_patience_wait_slice(time->patience, *fd, POLLOUT);
            end = is_ready ? connected(*fd) : KC_WIRE_LATE;
        }
    }
    if (end != KC_WIRE_OK)
        (void)close(*fd);
    return end;
}

kc_wire_end_t kc_wire_connect(const kc_wire_address_t *addresses, size_t count, size_t *first,
                              const kc_wire_time_t *time, kc_wire_t **out)
{
    kc_wire_end_t worst = time->patience->slices ? KC_WIRE_REFUSED : KC_WIRE_LATE;
    size_t i;

    *out = NULL;
    for (i = 0; i < count && time->patience->slices; i++) {
        size_t place = (*first + i) % count;
        int fd;
        kc_wire_end_t end = try(&addresses[place], i + 1 == count, time, &fd);

        if (end == KC_WIRE_OK) {
            *first = place;
            *out = kc_wire_adopt(fd);
            return *out ? KC_WIRE_OK : KC_WIRE_CUT;
        }
        if (end != KC_WIRE_REFUSED)
            worst = end; /* where one is silent, not all have refused */
    }
    return worst;
}

kc_wire_t *kc_wire_adopt(int fd)
{
    kc_wire_t *wire = malloc(sizeof(*wire));

    if (!wire) {
        (void)close(fd);
        return NULL;
    }
    wire->fd = fd;
    wire->start = wire->end = 0;
    return wire;
}

void kc_wire_close(kc_wire_t *wire)
{
    if (!wire)
        return;
    (void)close(wire->fd);
    free(wire);
}

/* ---------------------------------------------------------------- bytes */

static int is_not_yet(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

kc_wire_end_t kc_wire_send(kc_wire_t *wire, const void *data, size_t len, int is_more,
                           const kc_wire_time_t *time)
{
    const unsigned char *from = data;

    while (len) {
        ssize_t sent = send(wire->fd, from, len, MSG_NOSIGNAL | (is_more ? MSG_MORE : 0));

        if (sent < 0 && !is_not_yet())
            return KC_WIRE_CUT;
        if (sent > 0) {
            from += sent;
            len -= (size_t)sent;
        } else if (!kc_patience_wait(time->patience, wire->fd, POLLOUT, time->breaker)) {
            return KC_WIRE_LATE;
        }
    }
    return KC_WIRE_OK;
}

/* Something into the empty buffer. */
static kc_wire_end_t fill(kc_wire_t *wire, const kc_wire_time_t *time)
{
    for (;;) {
        ssize_t got = recv(wire->fd, wire->buffer, BUFFER_SIZE, 0);

        if (got > 0 && !kc_patience_count(time->patience))
            return KC_WIRE_LATE;
        if (got > 0) {
            wire->start = 0;
            wire->end = (size_t)got;
            return KC_WIRE_OK;
        }
        if (got == 0 || !is_not_yet())
            return KC_WIRE_CUT;
        if (!kc_patience_wait(time->patience, wire->fd, POLLIN, time->breaker))
            return KC_WIRE_LATE;
    }
}

kc_wire_end_t kc_wire_read(kc_wire_t *wire, void *out, size_t len, const kc_wire_time_t *time)
{
    unsigned char *to = out;

    while (len) {
        size_t have = wire->end - wire->start;
        kc_wire_end_t end;

        if (!have && (end = fill(wire, time)) != KC_WIRE_OK)
            return end;
        have = wire->end - wire->start;
        if (have > len)
            have = len;
        if (to) {
            memcpy(to, wire->buffer + wire->start, have);
            to += have;
        }
        wire->start += have;
        len -= have;
    }
    return KC_WIRE_OK;
}

int kc_wire_has_rest(const kc_wire_t *wire)
{
    return wire->end > wire->start;
}
