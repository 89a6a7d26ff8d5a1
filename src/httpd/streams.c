/* Streams: WebSockets and other long responses end with the session that they were opened with.
 * SPDX-License-Identifier: Apache-2.0 */
#include "streams.h"

#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "log.h"
#include "request.h"

#include "core/session/session_monitor.h"

/* Each child has a ring of the requests that continue with a session, in the order of their
 * arrival. Once a second a thread asks the store about the sessions of those that have been there
 * for a second. It is not a thread of mod_watchdog: those stop as soon as a child begins to end.
 * But a WebSocket may keep a child alive for hours after a graceful restart.
 *
 * No lock is held while the store or the provider is asked. So a request may be over when the
 * answer comes, and its memory reused: results are matched by serial numbers. */

enum {
    TICK_MS = 1000,
    RENEWALS_MS = 1000, /* after this time in one round, the other renewals wait */
    STOP_POLL_MS = 10,
    STOP_MAX_MS = 3000,    /* for work in progress, which may be new tokens */
    GIVE_UP_MAX_MS = 2000, /* more, after exchanges with the provider are abandoned */
    KEPT_MAX = 1 << 20     /* bytes of memory that the thread keeps from one round to the next */
};

/* State of this child. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the ring and its nodes */
static akc_stream_t ring = {.next = &ring, .previous = &ring};
static apr_uint64_t count;    /* of its nodes */
static uint64_t *count_shown; /* a word that count is written to; NULL: none */
static apr_uint64_t newest;   /* serial number */

static apr_uint32_t is_stopping;
static apr_uint32_t is_running;
static apr_uint32_t is_giving_up;
static int alarm_pipe[2] = {-1, -1}; /* a byte in it wakes the thread */
static apr_thread_t *thread;

/* A request of the thread's last round, and its session. */
typedef struct {
    apr_uint64_t serial;
    kc_session_monitor_entry_t *entry;
} round_entry_t;

/* A stream that was closed, for the log. */
typedef struct {
    server_rec *server;
    const kc_session_monitor_entry_t *entry;
    const char *uri;
} closed_t;

/* ---------------------------------------------------------------- requests */

void akc_streams_show(uint64_t *word)
{
    count_shown = word;
}

/* With the lock held. */
static void change_count(int by)
{
    count += (apr_uint64_t)(apr_int64_t)by;
    if (count_shown)
        kc_metrics_set(count_shown, count);
}

static void unlink_stream(akc_stream_t *stream)
{
    change_count(-1);
    stream->previous->next = stream->next;
    stream->next->previous = stream->previous;
    stream->next = NULL;
}

/* prefork ends a child in a signal handler, maybe of a thread that has the lock. By then the other
 * thread has ended, and the lock is not needed. If that thread still runs, it will release the lock
 * soon. */
static int lock_at_the_end(void)
{
    int left = STOP_MAX_MS / STOP_POLL_MS;

    while (apr_atomic_read32(&is_running) && left-- > 0) {
        if (pthread_mutex_trylock(&lock) == 0)
            return 1;
        apr_sleep(apr_time_from_msec(STOP_POLL_MS));
    }
    return 0;
}

static apr_status_t leave(void *data)
{
    akc_stream_t *stream = data;

    if (!apr_atomic_read32(&is_stopping))
        (void)pthread_mutex_lock(&lock);
    else if (!lock_at_the_end())
        return APR_SUCCESS;
    if (stream->next)
        unlink_stream(stream);
    (void)pthread_mutex_unlock(&lock);
    return APR_SUCCESS;
}

/* httpd links a connection's new filter with those of the connection. If the first of these is
 * interim.c's, the request's chain skips it, and so all filters after it. */
static void link_filter(ap_filter_t **chain, ap_filter_t *filter)
{
    while (*chain && *chain != filter && *chain != filter->next)
        chain = &(*chain)->next;
    if (*chain && *chain == filter->next)
        *chain = filter;
}

/* A connection of HTTP/2 carries other requests as well; behind a proxy they may be other users'.
 * So its socket stays open, and filters refuse the rest of this request. */
static void add_filters(akc_stream_t *stream, request_rec *first)
{
    conn_rec *c = first->connection;
    ap_filter_t *output;

    stream->is_cut = apr_pcalloc(c->pool, sizeof(*stream->is_cut));
    ap_add_input_filter(AKC_STREAMS_FILTER, stream->is_cut, first, c);
    output = ap_add_output_filter(AKC_STREAMS_FILTER, stream->is_cut, first, c);
    link_filter(&first->proto_output_filters, output);
    link_filter(&first->output_filters, output);
}

static void enter(akc_stream_t *stream)
{
    (void)pthread_mutex_lock(&lock);
    stream->serial = ++newest;
    stream->next = &ring;
    stream->previous = ring.previous;
    ring.previous->next = stream;
    ring.previous = stream;
    change_count(1);
    (void)pthread_mutex_unlock(&lock);
}

void akc_streams_enter(akc_request_t *request)
{
    akc_stream_t *stream = &request->stream;
    request_rec *first = request->first;

    if (stream->serial || !request->server->conf->close_streams)
        return;
    stream->session = &request->access.session;
    stream->server = request->server->server;
    stream->uri = akc_request_path(request);
    if (first->connection->master)
        add_filters(stream, first);
    else
        stream->socket = ap_get_conn_socket(first->connection);
    enter(stream);
    apr_pool_cleanup_register(first->pool, stream, leave, apr_pool_cleanup_null);
}

static apr_status_t filter_output(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    if (!apr_atomic_read32(filter->ctx))
        return ap_pass_brigade(filter->next, brigade);
    filter->c->aborted = 1;
    apr_brigade_cleanup(brigade);
    return APR_ECONNABORTED;
}

static apr_status_t filter_input(ap_filter_t *filter, apr_bucket_brigade *brigade,
                                 ap_input_mode_t mode, apr_read_type_e block, apr_off_t bytes)
{
    if (!apr_atomic_read32(filter->ctx))
        return ap_get_brigade(filter->next, brigade, mode, block, bytes);
    filter->c->aborted = 1;
    return APR_ECONNABORTED;
}

void akc_streams_register(apr_pool_t *pool)
{
    (void)pool;
    ap_register_input_filter(AKC_STREAMS_FILTER, filter_input, NULL, AP_FTYPE_CONNECTION);
    ap_register_output_filter(AKC_STREAMS_FILTER, filter_output, NULL, AP_FTYPE_CONNECTION);
}

/* ---------------------------------------------------------------- one round */

/* Requests up to this serial number, the oldest first, and their sessions. */
static apr_array_header_t *take_round(apr_uint64_t last, kc_session_monitor_t *monitor,
                                      apr_pool_t *pool)
{
    apr_array_header_t *round = apr_array_make(pool, 8, sizeof(round_entry_t));
    const akc_stream_t *stream;

    (void)pthread_mutex_lock(&lock);
    for (stream = ring.next; stream != &ring && stream->serial <= last; stream = stream->next) {
        round_entry_t *round_entry = apr_array_push(round);

        round_entry->serial = stream->serial;
        round_entry->entry = kc_session_monitor_add(
            monitor, stream->session,
            stream->refresh_at ? stream->refresh_at : stream->session->refresh_at);
    }
    (void)pthread_mutex_unlock(&lock);
    return round;
}

/* With the lock held, which the request's end waits for, so that its socket is still its own.
 * Threads that read from it or write to it see that the client has gone, and end. */
static void cut(akc_stream_t *stream)
{
    if (stream->is_cut)
        (void)apr_atomic_xchg32(stream->is_cut, 1);
    else if (stream->socket)
        (void)apr_socket_shutdown(stream->socket, APR_SHUTDOWN_READWRITE);
    unlink_stream(stream);
}

static void settle_one(akc_stream_t *stream, const kc_session_monitor_entry_t *entry,
                       apr_array_header_t *closed)
{
    closed_t *line;

    stream->refresh_at = entry->session.refresh_at;
    if (entry->state != KC_SESSION_ENDED)
        return;
    line = apr_array_push(closed);
    line->server = stream->server;
    line->entry = entry;
    line->uri = apr_pstrdup(closed->pool, stream->uri);
    cut(stream);
}

static void log_closed(const apr_array_header_t *closed)
{
    int i;

    for (i = 0; i < closed->nelts; i++) {
        const closed_t *line = &APR_ARRAY_IDX(closed, i, closed_t);
        const kc_err_t *err = &line->entry->err;

        AKC_LOG_SERVER_AT(APLOG_INFO, line->server, err->reason,
                          "%s is closed, because the session of %s has ended: %s",
                          ap_escape_logitem(closed->pool, line->uri),
                          ap_escape_logitem(closed->pool, line->entry->session.user),
                          ap_escape_logitem(closed->pool, err->detail));
    }
}

/* Both the ring and the round are in the order of serial numbers. */
static void settle(const apr_array_header_t *round, apr_pool_t *pool)
{
    apr_array_header_t *closed = apr_array_make(pool, 4, sizeof(closed_t));
    akc_stream_t *stream, *next;
    int i = 0;

    if (apr_atomic_read32(&is_stopping))
        return;
    (void)pthread_mutex_lock(&lock);
    for (stream = ring.next; stream != &ring && i < round->nelts; stream = next) {
        next = stream->next;
        while (i < round->nelts && APR_ARRAY_IDX(round, i, round_entry_t).serial < stream->serial)
            i++;
        if (i < round->nelts && APR_ARRAY_IDX(round, i, round_entry_t).serial == stream->serial)
            settle_one(stream, APR_ARRAY_IDX(round, i, round_entry_t).entry, closed);
    }
    (void)pthread_mutex_unlock(&lock);
    log_closed(closed);
}

static void log_renewal(const kc_session_monitor_entry_t *entry, apr_pool_t *pool)
{
    if (entry->state != KC_SESSION_LIVE || !entry->err.reason)
        return;
    AKC_LOG_SERVER_AT(APLOG_WARNING, entry->session.rp->env->context, entry->err.reason,
                      "the session of %s goes on although its tokens could not be renewed: %s",
                      ap_escape_logitem(pool, entry->session.user),
                      ap_escape_logitem(pool, entry->err.detail));
}

/* There may be no requests meanwhile to renew the tokens. Without renewal, a user who was disabled
 * at the provider would stay. */
static void renew_all(const kc_session_monitor_t *monitor, apr_pool_t *pool)
{
    apr_time_t began = apr_time_now();
    kc_session_monitor_entry_t *entry = kc_session_monitor_first(monitor);

    for (; entry && !apr_atomic_read32(&is_stopping); entry = entry->next) {
        apr_interval_time_t spent = apr_time_now() - began;

        if (spent < 0 || spent > apr_time_from_msec(RENEWALS_MS))
            return;
        kc_session_monitor_renew(entry, pool);
        log_renewal(entry, pool);
    }
}

static void look(apr_uint64_t last, apr_pool_t *pool)
{
    kc_session_monitor_t *monitor = kc_session_monitor_create(pool);
    const apr_array_header_t *round = take_round(last, monitor, pool);

    if (!round->nelts)
        return;
    kc_session_monitor_look(monitor);
    settle(round, pool); /* before asking the provider, which may take long */
    renew_all(monitor, pool);
    settle(round, pool);
}

/* ---------------------------------------------------------------- thread */

/* 1 when the next round is due. The clock may be set meanwhile; poll is not affected. */
static int wait_for_tick(void)
{
    struct pollfd alarm = {alarm_pipe[0], POLLIN, 0};

    (void)poll(&alarm, 1, TICK_MS);
    return !apr_atomic_read32(&is_stopping);
}

static apr_uint64_t newest_now(int *is_empty)
{
    apr_uint64_t serial;

    (void)pthread_mutex_lock(&lock);
    serial = newest;
    *is_empty = ring.next == &ring;
    (void)pthread_mutex_unlock(&lock);
    return serial;
}

static void *APR_THREAD_FUNC watch_streams(apr_thread_t *self, void *data)
{
    apr_pool_t *pool = data;
    apr_uint64_t last = 0, next;
    int is_empty;

    (void)self;
    (void)apr_setup_signal_thread();
    while (wait_for_tick()) {
        next = newest_now(&is_empty);
        if (!is_empty) {
            look(last, pool);
            apr_pool_clear(pool);
        }
        last = next;
    }
    (void)apr_atomic_xchg32(&is_running, 0);
    return NULL;
}

static int wait_for_end(int milliseconds)
{
    int left = milliseconds / STOP_POLL_MS;

    while (apr_atomic_read32(&is_running) && left-- > 0)
        apr_sleep(apr_time_from_msec(STOP_POLL_MS));
    return !apr_atomic_read32(&is_running);
}

/* What the thread uses ends with the child's pool. No lock and no condition, because this may be a
 * signal handler. */
static apr_status_t stop(void *data)
{
    apr_status_t status;
    ssize_t written;

    (void)data;
    (void)apr_atomic_xchg32(&is_stopping, 1);
    written = write(alarm_pipe[1], "", 1);
    (void)written; /* without it the thread still wakes in time */
    if (!wait_for_end(STOP_MAX_MS)) {
        (void)apr_atomic_xchg32(&is_giving_up, 1);
        if (!wait_for_end(GIVE_UP_MAX_MS))
            return APR_SUCCESS;
    }
    (void)apr_thread_join(&status, thread);
    return APR_SUCCESS;
}

const apr_uint32_t *akc_streams_given_up(void)
{
    return &is_giving_up;
}

/* A pool that no other thread uses. */
static apr_status_t make_pool(apr_pool_t *pchild, apr_pool_t **out)
{
    apr_allocator_t *allocator;
    apr_status_t status = apr_allocator_create(&allocator);

    if (status != APR_SUCCESS)
        return status;
    apr_allocator_max_free_set(allocator, KEPT_MAX);
    status = apr_pool_create_ex(out, pchild, NULL, allocator);
    if (status == APR_SUCCESS)
        apr_allocator_owner_set(allocator, *out);
    return status;
}

static int open_alarm(void)
{
    int i;

    if (pipe(alarm_pipe) != 0)
        return 0;
    for (i = 0; i < 2; i++) {
        if (fcntl(alarm_pipe[i], F_SETFD, FD_CLOEXEC) != 0 ||
            fcntl(alarm_pipe[i], F_SETFL, O_NONBLOCK) != 0)
            return 0;
    }
    return 1;
}

/* prefork's signals belong to its only other thread: they are blocked in this thread from its first
 * instruction on. */
static apr_status_t start_thread(apr_pool_t *pool, apr_pool_t *pchild)
{
    sigset_t all, before;
    apr_status_t status;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &before);
    status = apr_thread_create(&thread, NULL, watch_streams, pool, pchild);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

kc_rc_t akc_streams_child(apr_pool_t *pchild, kc_err_t *err)
{
    apr_pool_t *pool;
    apr_status_t status = open_alarm() ? make_pool(pchild, &pool) : APR_EGENERAL;

    if (status == APR_SUCCESS) {
        is_running = 1;
        status = start_thread(pool, pchild);
    }
    if (status != APR_SUCCESS)
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "no thread to close streams can be started");
    apr_pool_pre_cleanup_register(pchild, NULL, stop);
    return KC_OK;
}
