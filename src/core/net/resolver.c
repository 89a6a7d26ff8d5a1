/* Host names, resolved by threads for which no request waits.
 * SPDX-License-Identifier: Apache-2.0 */
#include "net/resolver.h"

#include <apr_strings.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "net/wait_limit.h"

/* One thread of each resolver, the clerk, finds the names that are due and has each looked up by a
 * separate thread, at most one for each name. getaddrinfo cannot be interrupted. So its thread is
 * detached and shares the name's entry; the last user frees it. */

enum { STACK_SIZE = 512 * 1024 };

struct kc_resolver_name_t {
    kc_resolver_lookup_t *lookup;
    void *context;
    int64_t period_ms, retry_ms;
    uint32_t version; /* written with the lock, read without */
    int is_fixed;     /* never looked up; the following members do not change */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int shares; /* users: the resolver, and a thread that looks it up */
    int is_looked_up;
    int result; /* of the last look-up */
    int has_result;
    int64_t asked_at, due_at;
    kc_resolver_address_t addresses[KC_RESOLVER_ADDRESSES_MAX];
    size_t count;
    struct kc_resolver_name_t *next; /* written once, before other threads can see the entry */
    char host[KC_RESOLVER_HOST_MAX + 1];
};

typedef kc_resolver_name_t name_t;

struct kc_resolver_t {
    kc_resolver_options_t options;
    pthread_mutex_t lock; /* guards what follows; taken before a name's lock */
    pthread_cond_t woken;
    pthread_t clerk;
    int has_clerk;
    int is_ending;
    size_t count;
    name_t *first;
};

/* ---------------------------------------------------------------- time */

static int condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t by_monotonic_clock;
    int failed = pthread_condattr_init(&by_monotonic_clock);

    if (failed)
        return failed;
    failed = pthread_condattr_setclock(&by_monotonic_clock, CLOCK_MONOTONIC);
    if (!failed)
        failed = pthread_cond_init(condition, &by_monotonic_clock);
    (void)pthread_condattr_destroy(&by_monotonic_clock);
    return failed;
}

/* Waits until the monotonic clock reaches these milliseconds, or the condition is signalled. */
static void wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t milliseconds)
{
    const struct timespec limit = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    (void)pthread_cond_timedwait(condition, lock, &limit);
}

/* ---------------------------------------------------------------- threads */

/* Blocks signals: they are for httpd's own threads. */
static int thread_start(pthread_t *thread, int is_detached, void *(*run)(void *), void *context)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int failed = pthread_attr_init(&attributes);

    if (failed)
        return failed;
    (void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
    if (is_detached)
        (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(thread, &attributes, run, context);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return failed;
}

static void name_leave(name_t *name)
{
    int left;

    (void)pthread_mutex_lock(&name->lock);
    left = --name->shares;
    (void)pthread_mutex_unlock(&name->lock);
    if (left)
        return;
    (void)pthread_cond_destroy(&name->changed);
    (void)pthread_mutex_destroy(&name->lock);
    free(name);
}

static int is_same(const kc_resolver_address_t *one, const kc_resolver_address_t *other)
{
    return one->len == other->len && !memcmp(&one->socket, &other->socket, one->len);
}

/* Name servers return the same addresses in any order. */
static int is_known(const name_t *name, const kc_resolver_address_t *found, size_t count)
{
    size_t i, k;

    if (count != name->count)
        return 0;
    for (i = 0; i < count; i++) {
        for (k = 0; k < count && !is_same(&found[i], &name->addresses[k]); k++)
            ;
        if (k == count)
            return 0;
    }
    return 1;
}

/* With the lock held. Known addresses stay when there are no new ones. */
static void take_result(name_t *name, int result, const kc_resolver_address_t *found)
{
    int64_t now = kc_wait_limit_now();

    if (result > KC_RESOLVER_ADDRESSES_MAX)
        result = KC_RESOLVER_ADDRESSES_MAX;
    name->result = result;
    name->has_result = 1;
    name->is_looked_up = 0;
    name->due_at = now + (result > 0 ? name->period_ms : name->retry_ms);
    if (result > 0 && !is_known(name, found, (size_t)result)) {
        memcpy(name->addresses, found, (size_t)result * sizeof(*found));
        name->count = (size_t)result;
        (void)__atomic_add_fetch(&name->version, 1, __ATOMIC_RELEASE);
    }
    (void)pthread_cond_broadcast(&name->changed);
}

static void *look_up(void *context)
{
    kc_resolver_address_t found[KC_RESOLVER_ADDRESSES_MAX];
    name_t *name = context;
    int result;

    memset(found, 0, sizeof(found));
    result = name->lookup(name->context, name->host, found, KC_RESOLVER_ADDRESSES_MAX);
    (void)pthread_mutex_lock(&name->lock);
    take_result(name, result, found);
    (void)pthread_mutex_unlock(&name->lock);
    name_leave(name);
    return NULL;
}

/* Starts the look-up of a name that is due. Returns when the name must be checked again. */
static int64_t attend(name_t *name, int64_t now)
{
    pthread_t thread;
    int64_t due_at;

    (void)pthread_mutex_lock(&name->lock);
    if (name->due_at <= now && !name->is_looked_up) {
        name->asked_at = now;
        name->is_looked_up = 1;
        name->shares++;
        if (thread_start(&thread, 1, look_up, name)) {
            name->shares--;
            name->is_looked_up = 0;
            name->due_at = now + name->retry_ms;
        }
    }
    due_at = name->is_looked_up ? now + name->retry_ms : name->due_at;
    (void)pthread_mutex_unlock(&name->lock);
    return due_at;
}

static void *clerk_run(void *context)
{
    kc_resolver_t *resolver = context;

    (void)pthread_mutex_lock(&resolver->lock);
    while (!resolver->is_ending) {
        int64_t now = kc_wait_limit_now(), next = now + resolver->options.retry_ms;
        name_t *name;

        for (name = resolver->first; name; name = name->next) {
            int64_t due_at = name->is_fixed ? next : attend(name, now);

            next = due_at < next ? due_at : next;
        }
        wait_until(&resolver->woken, &resolver->lock, next);
    }
    (void)pthread_mutex_unlock(&resolver->lock);
    return NULL;
}

/* ---------------------------------------------------------------- look-ups */

/* Calls getaddrinfo with these flags. */
static int ask_system(const char *host, int flags, kc_resolver_address_t *out, size_t max)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};
    struct addrinfo *found, *one;
    int count = 0;
    int failed = getaddrinfo(host, NULL, &hints, &found);

    if (failed)
        return failed == EAI_NONAME ? 0 : -1;
    for (one = found; one && (size_t)count < max; one = one->ai_next) {
        if (one->ai_addrlen > sizeof(out->socket))
            continue;
        memcpy(&out[count].socket, one->ai_addr, one->ai_addrlen);
        out[count++].len = one->ai_addrlen;
    }
    freeaddrinfo(found);
    return count;
}

static int lookup_system(void *context, const char *host, kc_resolver_address_t *out, size_t max)
{
    (void)context;
    return ask_system(host, 0, out, max);
}

static int is_localhost(const char *host)
{
    static const char word[] = "localhost";
    size_t len = strlen(host), word_len = sizeof(word) - 1;

    if (len && host[len - 1] == '.')
        len--;
    return len >= word_len && !strncasecmp(host + len - word_len, word, word_len) &&
           (len == word_len || host[len - word_len - 1] == '.');
}

/* Addresses that need no name server: how many; 0: it needs one. */
static int lookup_fixed(const char *host, kc_resolver_address_t *out, size_t max)
{
    int count;

    if (!is_localhost(host))
        return ask_system(host, AI_NUMERICHOST, out, max);
    count = ask_system("127.0.0.1", AI_NUMERICHOST, out, 1);
    return count + ask_system("::1", AI_NUMERICHOST, out + count, 1);
}

/* ---------------------------------------------------------------- names */

static name_t *name_make(const kc_resolver_t *resolver, const char *host)
{
    name_t *name = calloc(1, sizeof(*name));
    int count;

    if (!name)
        return NULL;
    if (pthread_mutex_init(&name->lock, NULL) || condition_init(&name->changed)) {
        free(name);
        return NULL;
    }
    name->lookup = resolver->options.lookup;
    name->context = resolver->options.context;
    name->period_ms = resolver->options.period_ms;
    name->retry_ms = resolver->options.retry_ms;
    name->shares = 1;
    memcpy(name->host, host, strlen(host) + 1);
    count = lookup_fixed(host, name->addresses, KC_RESOLVER_ADDRESSES_MAX);
    name->is_fixed = count > 0;
    name->count = count > 0 ? (size_t)count : 0;
    return name;
}

/* With the lock held. */
static name_t *name_find(const kc_resolver_t *resolver, const char *host)
{
    name_t *name = resolver->first;

    while (name && strcasecmp(name->host, host) != 0)
        name = name->next;
    return name;
}

/* With the lock held: makes a new entry, and starts the clerk for the first one that needs it. */
static name_t *name_add(kc_resolver_t *resolver, const char *host)
{
    name_t *name;

    if (resolver->count >= KC_RESOLVER_NAMES_MAX || !(name = name_make(resolver, host)))
        return NULL;
    if (!name->is_fixed && !resolver->has_clerk) {
        resolver->has_clerk = !thread_start(&resolver->clerk, 0, clerk_run, resolver);
        if (!resolver->has_clerk) {
            name_leave(name);
            return NULL;
        }
    }
    name->next = resolver->first;
    resolver->first = name;
    resolver->count++;
    (void)pthread_cond_signal(&resolver->woken);
    return name;
}

kc_resolver_name_t *kc_resolver_name(kc_resolver_t *resolver, const char *host)
{
    name_t *name;

    if (!*host || strlen(host) > KC_RESOLVER_HOST_MAX)
        return NULL;
    (void)pthread_mutex_lock(&resolver->lock);
    name = name_find(resolver, host);
    if (!name)
        name = name_add(resolver, host);
    (void)pthread_mutex_unlock(&resolver->lock);
    return name;
}

int kc_resolver_is_known(name_t *name)
{
    int is_known_now;

    (void)pthread_mutex_lock(&name->lock);
    is_known_now = name->is_fixed || name->has_result;
    (void)pthread_mutex_unlock(&name->lock);
    return is_known_now;
}

uint32_t kc_resolver_version(const name_t *name)
{
    return __atomic_load_n(&name->version, __ATOMIC_ACQUIRE);
}

static void port_set(kc_resolver_address_t *address, uint16_t port)
{
    if (address->socket.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&address->socket)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)&address->socket)->sin_port = htons(port);
}

static const char *why_unknown(const name_t *name)
{
    if (!name->has_result)
        return "is not resolved yet: no name server has answered";
    return name->result ? "is not resolved: no name server answers" : "is no host's name";
}

kc_rc_t kc_resolver_get(name_t *name, uint16_t port, int64_t wait_ms, kc_resolver_address_t *out,
                        size_t *count, kc_reason_t reason, kc_err_t *err)
{
    int64_t until = wait_ms > 0 ? kc_wait_limit_now() + wait_ms : 0;
    kc_rc_t rc = KC_OK;
    size_t i;

    (void)pthread_mutex_lock(&name->lock);
    while (!name->count && !name->has_result && until && kc_wait_limit_now() < until)
        wait_until(&name->changed, &name->lock, until);
    *count = name->count;
    memcpy(out, name->addresses, name->count * sizeof(*out));
    if (!name->count)
        rc = KC_FAIL(err, KC_DOWN, reason, "the name %s %s", name->host, why_unknown(name));
    (void)pthread_mutex_unlock(&name->lock);
    for (i = 0; i < *count; i++)
        port_set(&out[i], port);
    return rc;
}

static int is_at(const kc_resolver_address_t *address, const char *text)
{
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->socket;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->socket;
    unsigned char raw[sizeof(struct in6_addr)];

    if (address->socket.ss_family == AF_INET6)
        return inet_pton(AF_INET6, text, raw) == 1 &&
               memcmp(raw, &v6->sin6_addr, sizeof(v6->sin6_addr)) == 0;
    return inet_pton(AF_INET, text, raw) == 1 &&
           memcmp(raw, &v4->sin_addr, sizeof(v4->sin_addr)) == 0;
}

void kc_resolver_prefer(name_t *name, const char *address)
{
    kc_resolver_address_t first;
    size_t i;

    (void)pthread_mutex_lock(&name->lock);
    for (i = 0; i < name->count && !is_at(&name->addresses[i], address); i++) {
    }
    if (i < name->count) {
        first = name->addresses[i];
        memmove(&name->addresses[1], &name->addresses[0], i * sizeof(first));
        name->addresses[0] = first;
    }
    (void)pthread_mutex_unlock(&name->lock);
    kc_resolver_doubt(name);
}

void kc_resolver_doubt(name_t *name)
{
    if (name->is_fixed)
        return;
    (void)pthread_mutex_lock(&name->lock);
    if (name->due_at > name->asked_at + name->retry_ms)
        name->due_at = name->asked_at + name->retry_ms;
    (void)pthread_mutex_unlock(&name->lock);
}

const char *kc_resolver_text(const kc_resolver_address_t *address, apr_pool_t *pool)
{
    char text[INET6_ADDRSTRLEN];

    if (address->socket.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->socket;

        return inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text))
                   ? apr_pstrcat(pool, "[", text, "]", NULL)
                   : "";
    }
    return inet_ntop(AF_INET, &((const struct sockaddr_in *)&address->socket)->sin_addr, text,
                     sizeof(text))
               ? apr_pstrdup(pool, text)
               : "";
}

/* ---------------------------------------------------------------- ends and totals */

uint32_t kc_resolver_changes(kc_resolver_t *resolver)
{
    const name_t *name;
    uint32_t sum = 0;

    (void)pthread_mutex_lock(&resolver->lock);
    for (name = resolver->first; name; name = name->next)
        sum += kc_resolver_version(name);
    (void)pthread_mutex_unlock(&resolver->lock);
    return sum;
}

void kc_resolver_wait(kc_resolver_t *resolver, int64_t milliseconds)
{
    int64_t until = kc_wait_limit_now() + milliseconds;
    name_t *name;

    (void)pthread_mutex_lock(&resolver->lock);
    name = resolver->first;
    (void)pthread_mutex_unlock(&resolver->lock);
    for (; name; name = name->next) { /* entries live as long as the resolver */
        (void)pthread_mutex_lock(&name->lock);
        while (!name->is_fixed && !name->has_result && kc_wait_limit_now() < until)
            wait_until(&name->changed, &name->lock, until);
        (void)pthread_mutex_unlock(&name->lock);
    }
}

static apr_status_t resolver_end(void *data)
{
    kc_resolver_t *resolver = data;
    name_t *name = resolver->first;

    (void)pthread_mutex_lock(&resolver->lock);
    resolver->is_ending = 1;
    (void)pthread_cond_signal(&resolver->woken);
    (void)pthread_mutex_unlock(&resolver->lock);
    if (resolver->has_clerk)
        (void)pthread_join(resolver->clerk, NULL);
    while (name) {
        name_t *next = name->next;

        name_leave(name);
        name = next;
    }
    (void)pthread_cond_destroy(&resolver->woken);
    (void)pthread_mutex_destroy(&resolver->lock);
    return APR_SUCCESS;
}

kc_rc_t kc_resolver_create(const kc_resolver_options_t *options, apr_pool_t *pool,
                           kc_resolver_t **out, kc_err_t *err)
{
    kc_resolver_t *resolver = apr_pcalloc(pool, sizeof(*resolver));

    if (options)
        resolver->options = *options;
    if (!resolver->options.lookup)
        resolver->options.lookup = lookup_system;
    if (!resolver->options.period_ms)
        resolver->options.period_ms = KC_RESOLVER_PERIOD_MS;
    if (!resolver->options.retry_ms)
        resolver->options.retry_ms = KC_RESOLVER_RETRY_MS;
    if (pthread_mutex_init(&resolver->lock, NULL) || condition_init(&resolver->woken))
        return KC_FAIL(err, KC_FAULT, KC_ERR_INTERNAL, "names: no lock can be made");
    apr_pool_cleanup_register(pool, resolver, resolver_end, apr_pool_cleanup_null);
    *out = resolver;
    return KC_OK;
}
