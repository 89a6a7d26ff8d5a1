/* What the inputs of a fuzz target reach in the code.
 * SPDX-License-Identifier: Apache-2.0 */
#include "reach.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void report_at_end(void)
{
    if (!reach_report())
        _exit(EXIT_FAILURE);
}

__attribute__((constructor)) static void start(void)
{
    if (getenv("FUZZ_REACH") && atexit(report_at_end))
        abort();
}

void reach_note(int row)
{
    reach[row].count++;
}

int reach_report(void)
{
    int is_complete = reach[0].what != NULL;
    const reach_t *row;

    for (row = reach; row->what; row++) {
        (void)fprintf(stderr, "reach: %s: %lu\n", row->what, row->count);
        is_complete = is_complete && row->count;
    }
    return is_complete;
}

static void write_seed(const char *folder, const char *name, const void *data, size_t len)
{
    char path[4096];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/made-%s", folder, name);
    file = fopen(path, "wb");
    if (!file || fwrite(data, 1, len, file) != len || fclose(file))
        abort();
}

void reach_seed(const char *name, const void *data, size_t len)
{
    const char *folder = getenv("FUZZ_SEEDS");
    uint8_t *exact = malloc(len ? len : 1);

    if (!exact)
        abort();
    memcpy(exact, data, len);
    if (folder)
        write_seed(folder, name, data, len);
    (void)LLVMFuzzerTestOneInput(exact, len);
    free(exact);
}
