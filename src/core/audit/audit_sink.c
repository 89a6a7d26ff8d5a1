/* Where audit lines are written: a file, a pipe, or the system's log.
 * SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit_sink.h"

#include <apr_atomic.h>
#include <apr_strings.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "audit/audit_line.h"
#include "base/syslog_target.h"

enum { HEAD_MAX = 128 /* bytes before the line */ };

struct kc_audit_sink_t {
    int fd;
    int is_pipe;
    int facility; /* of the system's log; -1: a file or a pipe */
    const char *tag;
    struct sockaddr_un address;
    volatile apr_uint32_t lost; /* since the last line that was written */
};

/* ---------------------------------------------------------------- making */

static int is_fifo(int fd)
{
    struct stat about;

    return fstat(fd, &about) == 0 && S_ISFIFO(about.st_mode);
}

kc_audit_sink_t *kc_audit_sink_to_file(int fd, apr_pool_t *pool)
{
    kc_audit_sink_t *sink = apr_pcalloc(pool, sizeof(*sink));
    int flags = fcntl(fd, F_GETFL);

    sink->fd = fd;
    sink->facility = -1;
    sink->is_pipe = is_fifo(fd);
    if (sink->is_pipe && flags >= 0)
        (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    return sink;
}

static apr_status_t close_socket(void *data)
{
    (void)close(((kc_audit_sink_t *)data)->fd);
    return APR_SUCCESS;
}

/* The socket is not connected: the system's log may be started anew. */
kc_rc_t kc_audit_sink_to_syslog(const char *target, const char *path, apr_pool_t *pool,
                                kc_audit_sink_t **out, kc_err_t *err)
{
    const struct timeval wait = {0, (suseconds_t)KC_AUDIT_SINK_WAIT_MS * 1000};
    kc_audit_sink_t *sink = apr_pcalloc(pool, sizeof(*sink));
    kc_syslog_target_t whom;

    if (kc_syslog_target_read(target, &whom, err) != KC_OK)
        return KC_FAULT;
    sink->facility = whom.facility;
    sink->tag = apr_pstrdup(pool, whom.tag);
    sink->address.sun_family = AF_UNIX;
    apr_cpystrn(sink->address.sun_path, path, sizeof(sink->address.sun_path));
    sink->fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (sink->fd < 0 || fcntl(sink->fd, F_SETFD, FD_CLOEXEC) != 0 ||
        setsockopt(sink->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) != 0)
        return KC_FAIL(err, KC_FAULT, KC_ERR_CONFIG, "no socket for syslog: %.60s",
                       strerror(errno));
    apr_pool_cleanup_register(pool, sink, close_socket, apr_pool_cleanup_null);
    *out = sink;
    return KC_OK;
}

/* ---------------------------------------------------------------- writing */

static int write_once(const kc_audit_sink_t *sink, const char *line, size_t len)
{
    ssize_t written;

    do {
        written = write(sink->fd, line, len);
    } while (written < 0 && errno == EINTR);
    if (written == (ssize_t)len)
        return 0;
    return written < 0 ? errno : ENOSPC;
}

/* errno, or 0. Other writers may take the room that poll has seen; they make no difference to the
 * time. */
static int write_file(const kc_audit_sink_t *sink, const char *line, size_t len, int may_wait)
{
    struct pollfd room = {sink->fd, POLLOUT, 0};
    int error = write_once(sink, line, len);

    if (error != EAGAIN || !sink->is_pipe || !may_wait)
        return error;
    if (poll(&room, 1, KC_AUDIT_SINK_WAIT_MS) <= 0)
        return EAGAIN;
    return write_once(sink, line, len);
}

/* RFC 3164 section 4.1, as libc's syslog() writes it. The line's newline is left out. */
static int write_syslog(const kc_audit_sink_t *sink, const char *line, size_t len, int may_wait)
{
    char message[HEAD_MAX + KC_AUDIT_LINE_MAX], date[32];
    time_t now = time(NULL);
    struct tm parts;
    int size, flags = MSG_NOSIGNAL | (may_wait ? 0 : MSG_DONTWAIT);

    if (!localtime_r(&now, &parts) || !strftime(date, sizeof(date), "%b %e %H:%M:%S", &parts))
        return EINVAL;
    size = apr_snprintf(message, HEAD_MAX, "<%d>%s %s[%ld]: ", sink->facility | LOG_NOTICE, date,
                        sink->tag, (long)getpid());
    memcpy(message + size, line, len - 1);
    if (sendto(sink->fd, message, (size_t)size + len - 1, flags,
               (const struct sockaddr *)(const void *)&sink->address, sizeof(sink->address)) < 0)
        return errno;
    return 0;
}

unsigned int kc_audit_sink_lost(kc_audit_sink_t *sink)
{
    return apr_atomic_read32(&sink->lost);
}

kc_audit_sink_result_t kc_audit_sink_write(kc_audit_sink_t *sink, const char *line, size_t len,
                                           unsigned int *lost, int *error)
{
    int may_wait = !apr_atomic_read32(&sink->lost);

    *error = sink->facility < 0 ? write_file(sink, line, len, may_wait)
                                : write_syslog(sink, line, len, may_wait);
    if (*error) {
        *lost = apr_atomic_inc32(&sink->lost) + 1;
        return *lost == 1 ? KC_AUDIT_SINK_LOST : KC_AUDIT_SINK_STILL;
    }
    *lost = apr_atomic_read32(&sink->lost) ? apr_atomic_xchg32(&sink->lost, 0) : 0;
    return *lost ? KC_AUDIT_SINK_BACK : KC_AUDIT_SINK_WRITTEN;
}
