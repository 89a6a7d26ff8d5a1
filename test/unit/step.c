/* A child under ptrace. SPDX-License-Identifier: Apache-2.0 */
#include "step.h"

#include <check.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void remember(step_t *step)
{
    if (!step->before)
        step->before = malloc(step->size);
    ck_assert_ptr_nonnull(step->before);
    memcpy(step->before, step->memory, step->size);
}

void step_learn(step_t *step)
{
    size_t at;

    remember(step);
    step->run();
    step->page_count = 0;
    for (at = 0; at < step->size; at += STEP_PAGE) {
        if (at >= step->head * STEP_PAGE &&
            !memcmp(step->before + at, step->memory + at, STEP_PAGE))
            continue;
        ck_assert_uint_lt(step->page_count, STEP_PAGES_MAX);
        step->pages[step->page_count++] = at;
    }
}

void step_start(step_t *step)
{
    int status = 0;

    remember(step);
    step->child = fork();
    ck_assert_int_ge(step->child, 0);
    if (!step->child) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
            _exit(2);
        (void)raise(SIGSTOP);
        step->run();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(step->child, &status, 0), step->child);
    ck_assert_msg(WIFSTOPPED(status), "this test needs ptrace of an own child");
}

/* One instruction; 0 when the child has ended. */
static int step_one(const step_t *step)
{
    int status = 0;

    ck_assert_int_eq(ptrace(PTRACE_SINGLESTEP, step->child, NULL, NULL), 0);
    ck_assert_int_eq(waitpid(step->child, &status, 0), step->child);
    return WIFSTOPPED(status);
}

static int is_changed(const step_t *step)
{
    size_t i;

    for (i = 0; i < step->page_count; i++) {
        if (memcmp(step->before + step->pages[i], step->memory + step->pages[i], STEP_PAGE) != 0)
            return 1;
    }
    return 0;
}

int step_on(step_t *step, unsigned int max)
{
    static unsigned int steps; /* each test has a process of its own */

    while (step_one(step)) {
        ck_assert_uint_lt(steps++, max);
        if (!is_changed(step))
            continue;
        memcpy(step->before, step->memory, step->size);
        return 1;
    }
    free(step->before);
    step->before = NULL;
    return 0;
}

/* In the lock's word, the first to hold its owner's number, that gives way to FUTEX_OWNER_DIED. */
int step_copy(const step_t *step, unsigned char *left)
{
    const uint32_t owner_bits = 0x3fffffff;
    const uint32_t owner_died = 0x40000000;
    size_t at;

    memcpy(left, step->memory, step->size);
    for (at = 0; at < step->head * STEP_PAGE; at += sizeof(uint32_t)) {
        uint32_t word;

        memcpy(&word, left + at, sizeof(word));
        if ((word & owner_bits) != (uint32_t)step->child)
            continue;
        memcpy(left + at, &owner_died, sizeof(owner_died));
        return 1;
    }
    return 0;
}
