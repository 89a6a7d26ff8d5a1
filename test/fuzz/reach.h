/* What the inputs of a fuzz target reach in the code, so that a target that refuses all its seeds
 * is noticed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_REACH_H
#define KC_REACH_H

#include <stddef.h>

/* One thing that some of a target's inputs have to reach. */
typedef struct reach_t {
    const char *what; /* NULL ends the table */
    unsigned long count;
} reach_t;

/* The target's own table. */
extern reach_t reach[];

/* An input has reached this row. */
void reach_note(int row);
/* Writes the counts to standard error: 1 when each is at least one. A libFuzzer program does this
 * at its end when FUZZ_REACH is set, and fails when it is 0. */
int reach_report(void);

/* Gives the target an input that the code has just made, and, when FUZZ_SEEDS names a folder,
 * writes it there under this name. For LLVMFuzzerInitialize. */
void reach_seed(const char *name, const void *data, size_t len);

#endif
