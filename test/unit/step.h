/* A child that changes shared memory, stopped after each single write. Tests see what it would
 * leave if it were killed there.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_STEP_H
#define KC_STEP_H

#include <stddef.h>
#include <sys/types.h>

enum { STEP_PAGE = 4096, STEP_PAGES_MAX = 32 };

/* The first four members are the test's, and may change between the calls. */
typedef struct step_t {
    unsigned char *memory; /* that the child works on: size bytes, shared, in whole pages */
    size_t size;
    size_t head;           /* pages at its beginning, which have the lock */
    void (*run)(void);     /* what the child does: as few instructions as can be, all are stepped
                              through */
    unsigned char *before; /* private: the memory, as it was a step ago */
    size_t pages[STEP_PAGES_MAX]; /* where it will change */
    size_t page_count;
    pid_t child;
} step_t;

/* Finds out, by running it here once, which pages the operation changes. */
void step_learn(step_t *step);
/* Starts the child, which does the same with a memory made anew. Needs ptrace of an own child. */
void step_start(step_t *step);
/* Goes on until it has changed the memory: 1; or until it has ended: 0, and all is released. max:
 * instructions in all, past which the test fails. */
int step_on(step_t *step, unsigned int max);
/* What the child would leave now, into left (size bytes): the memory, with the lock as the kernel
 * makes it when its owner dies. 1: the child has the lock. */
int step_copy(const step_t *step, unsigned char *left);

#endif
