/* A TCP connection to a server that may be slow, dead or hostile.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_WIRE_H
#define KC_WIRE_H

#include <stddef.h>
#include <sys/socket.h>

#include "breaker.h"
#include "patience.h"

enum { KC_WIRE_ADDRESSES_MAX = 8 /* of one name */ };

/* An address with its port. */
typedef struct kc_wire_address_t {
    struct sockaddr_storage socket;
    socklen_t len;
} kc_wire_address_t;

typedef enum {
    KC_WIRE_OK,
    KC_WIRE_REFUSED, /* nobody is there */
    KC_WIRE_LATE,    /* the time is over */
    KC_WIRE_CUT      /* it has ended, or an error of the network */
} kc_wire_end_t;

/* Whose time it is: patience is the operation's, breaker as kc_patience_wait has it. */
typedef struct kc_wire_time_t {
    kc_patience_t *patience;
    const kc_breaker_t *breaker;
} kc_wire_time_t;

/* One connection, not a pool's. For one thread at a time. */
typedef struct kc_wire_t kc_wire_t;

/* Connects to the first of the addresses that takes it, beginning with the one at *first, which is
 * where it has ended then. One that does not answer within a slice is left for the next. After
 * anything but KC_WIRE_OK *out is NULL. */
kc_wire_end_t kc_wire_connect(const kc_wire_address_t *addresses, size_t count, size_t *first,
                              const kc_wire_time_t *time, kc_wire_t **out);
/* Takes over a connected socket. NULL: no memory; the socket is closed then. */
kc_wire_t *kc_wire_adopt(int fd);
/* Sends all of it; is_more: more will follow at once. */
kc_wire_end_t kc_wire_send(kc_wire_t *wire, const void *data, size_t len, int is_more,
                           const kc_wire_time_t *time);
/* Reads so many bytes, no more and no less; out NULL: and forgets them. */
kc_wire_end_t kc_wire_read(kc_wire_t *wire, void *out, size_t len, const kc_wire_time_t *time);
/* 1 when bytes were received that nobody has read. */
int kc_wire_has_rest(const kc_wire_t *wire);
/* Ends the connection at once; what was not sent is lost. NULL is none. */
void kc_wire_close(kc_wire_t *wire);

#endif
