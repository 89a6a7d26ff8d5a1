/* The effects of the core, implemented with httpd: clocks, random, log.
 * SPDX-License-Identifier: Apache-2.0 */
#include "effects.h"

#include <time.h>

#include "log.h"

#include "core/crypto/crypto.h"

int64_t akc_effects_now(void *context)
{
    (void)context;
    return apr_time_sec(apr_time_now());
}

static int64_t clock_now_ms(void *context)
{
    (void)context;
    return apr_time_as_msec(apr_time_now());
}

static int64_t clock_elapsed_ms(void *context)
{
    struct timespec time = {0, 0};

    (void)context;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static kc_rc_t random_bytes(void *context, unsigned char *out, size_t len)
{
    (void)context;
    return kc_crypto_random(out, len, NULL);
}

void akc_effects_fill(kc_env_t *env, server_rec *server)
{
    env->now = akc_effects_now;
    env->now_ms = clock_now_ms;
    env->elapsed_ms = clock_elapsed_ms;
    env->random = random_bytes;
    env->log = akc_log_line;
    env->context = server;
}
