/* Shared by fuzz targets that take a text.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_INPUT_H
#define KC_INPUT_H

#include <apr_pools.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* What does not hold ends the program, as a sanitizer's finding does. */
#define HOLDS(condition)  \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

/* For LLVMFuzzerInitialize: 0, or 1 when APR cannot be started. */
int input_start(void);
/* For LLVMFuzzerTestOneInput: calls check with a copy of the input, which is from malloc, so that a
 * read behind its end is seen, and a pool. The first has a NUL behind it. Both give 0. */
int input_text(const uint8_t *data, size_t size, void (*check)(const char *text, apr_pool_t *pool));
int input_bytes(const uint8_t *data, size_t size,
                void (*check)(const char *bytes, size_t size, apr_pool_t *pool));

#endif
