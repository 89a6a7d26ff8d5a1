/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for libFuzzer: gives a fuzz target every file that is named, or found in a named
 * folder. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "reach.h"

/* Larger inputs are no corpus: libFuzzer itself stops at 1 MiB here. */
#define REPLAY_MAX_BYTES (1024L * 1024L)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Some targets prepare themselves once; libFuzzer calls this when it is there, and so does replay.
 */
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Returns the file's bytes in memory of exactly its size, so that a read past the end is seen. */
static uint8_t *load(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    long length;

    if (!file)
        return NULL;
    if (fseek(file, 0, SEEK_END) == 0 && (length = ftell(file)) >= 0 &&
        length <= REPLAY_MAX_BYTES && fseek(file, 0, SEEK_SET) == 0 &&
        (bytes = malloc(length ? (size_t)length : 1)) != NULL) {
        *size = fread(bytes, 1, (size_t)length, file);
        if (*size != (size_t)length) {
            free(bytes);
            bytes = NULL;
        }
    }
    fclose(file);
    return bytes;
}

static void replay_file(const char *path, unsigned *count)
{
    size_t size = 0;
    uint8_t *bytes = load(path, &size);
    uint8_t *exact;

    if (!bytes) {
        fprintf(stderr, "replay: cannot read %s\n", path);
        exit(EXIT_FAILURE);
    }
    exact = size ? bytes : NULL;
    /* When the target aborts, the last line written tells which input it was. */
    fprintf(stderr, "replay: %s (%zu bytes)\n", path, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(bytes);
    (*count)++;
}

static void replay_folder(const char *path, unsigned *count)
{
    struct dirent **names = NULL;
    int found = scandir(path, &names, NULL, alphasort);

    if (found < 0) {
        fprintf(stderr, "replay: cannot read folder %s\n", path);
        exit(EXIT_FAILURE);
    }
    for (int i = 0; i < found; i++) {
        size_t room = strlen(path) + strlen(names[i]->d_name) + 2;
        char *file = malloc(room);

        if (!file)
            abort();
        (void)snprintf(file, room, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            replay_file(file, count);
        free(file);
        free(names[i]);
    }
    free(names);
}

int main(int argc, char **argv)
{
    unsigned count = 0;

    if (LLVMFuzzerInitialize)
        (void)LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        struct stat info;

        if (stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode))
            replay_folder(argv[i], &count);
        else
            replay_file(argv[i], &count);
    }
    if (!reach_report()) {
        fprintf(stderr, "replay: no input reaches what the target is for\n");
        return EXIT_FAILURE;
    }
    printf("%u inputs replayed\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
