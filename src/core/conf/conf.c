/* Settings made by the table of directives: create, set, merge and dump.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf.h"

#include <string.h>

#include <apr_strings.h>

#include "conf/conf_parse.h"
#include "conf/conf_secret.h"

/* Server and directory settings differ only in where their members and positions are. */
static void *member_of(void *conf, const kc_conf_row_t *row)
{
    return (char *)conf + row->offset;
}

static kc_conf_position_t *position_of(void *conf, kc_conf_index_t index)
{
    return kc_conf_table_row(index)->is_directory ? &((kc_conf_dir_t *)conf)->position[index]
                                                  : &((kc_conf_t *)conf)->position[index];
}

/* Defaults use the parsers of the directives, so that both mean the same. A unit test checks that
 * no default is refused. */
static void set_default(void *conf, kc_conf_index_t index, apr_pool_t *pool)
{
    const kc_conf_row_t *row = kc_conf_table_row(index);
    const char *whole[] = {row->fallback};
    kc_conf_input_t input = {index, 1, whole, 0, pool};
    char **words;

    if (kc_conf_parse_is_list(row->type) &&
        apr_tokenize_to_argv(row->fallback, &words, pool) == APR_SUCCESS) {
        input.argv = (const char *const *)words;
        for (input.argc = 0; words[input.argc];)
            input.argc++;
    }
    (void)kc_conf_parse_value(&input, member_of(conf, row), NULL);
}

static void set_defaults(void *conf, int is_directory, apr_pool_t *pool)
{
    for (int i = 0; i < KC_CONF_ROWS; i++) {
        if (kc_conf_table_row((kc_conf_index_t)i)->is_directory == is_directory &&
            kc_conf_table_row((kc_conf_index_t)i)->fallback)
            set_default(conf, (kc_conf_index_t)i, pool);
    }
}

kc_conf_t *kc_conf_create(apr_pool_t *pool)
{
    kc_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));

    set_defaults(conf, 0, pool);
    return conf;
}

kc_conf_dir_t *kc_conf_dir_create(apr_pool_t *pool)
{
    kc_conf_dir_t *conf = apr_pcalloc(pool, sizeof(*conf));

    set_defaults(conf, 1, pool);
    return conf;
}

/* The length of the first word of the list. */
static size_t word_len(kc_conf_type_t type, const char *text)
{
    static const char blanks[] = " \t";
    size_t len = strcspn(text, blanks);

    while (type == KC_CONF_KEYFILES && text[len]) {
        size_t gap = strspn(text + len, blanks);

        if (!text[len + gap] || strncmp(text + len + gap, "file:", 5) == 0)
            break;
        len += gap + strcspn(text + len + gap, blanks);
    }
    return len;
}

const char *const *kc_conf_split(kc_conf_index_t index, int argc, const char *const argv[],
                                 apr_pool_t *pool, int *count)
{
    kc_conf_type_t type = kc_conf_table_row(index)->type;
    apr_array_header_t *words = apr_array_make(pool, argc + 1, sizeof(const char *));

    for (int i = 0; i < argc; i++) {
        const char *at = argv[i] + strspn(argv[i], " \t");

        if (!kc_conf_parse_is_words(type) || !*at) {
            APR_ARRAY_PUSH(words, const char *) = argv[i];
            continue;
        }
        while (*at) {
            size_t len = word_len(type, at);

            APR_ARRAY_PUSH(words, const char *) = apr_pstrndup(pool, at, len);
            at += len;
            at += strspn(at, " \t");
        }
    }
    *count = words->nelts;
    return (const char *const *)words->elts;
}

const char *kc_conf_path_in(kc_conf_index_t index, const char *word)
{
    static const char prefix[] = "file:";
    int has_prefix = strncmp(word, prefix, strlen(prefix)) == 0;

    switch (kc_conf_table_row(index)->type) {
    case KC_CONF_FILE:
        return has_prefix ? word + strlen(prefix) : word;
    case KC_CONF_SECRET:
    case KC_CONF_KEYFILES:
        return has_prefix ? word + strlen(prefix) : NULL;
    default:
        return NULL;
    }
}

/* Earlier sources stay in front: they belong to the keys of earlier lines. */
static void note_sources(kc_conf_position_t *position, const kc_conf_input_t *input)
{
    kc_conf_type_t type = kc_conf_table_row(input->index)->type;
    const apr_array_header_t *earlier = type == KC_CONF_KEYFILES ? position->sources : NULL;
    apr_array_header_t *sources;

    if (type != KC_CONF_SECRET && type != KC_CONF_KEYFILES)
        return;
    sources = apr_array_make(input->pool, input->argc, (int)sizeof(const char *));
    for (int i = 0; i < input->argc; i++)
        APR_ARRAY_PUSH(sources, const char *) = kc_conf_secret_source(input->argv[i], input->pool);
    position->sources = earlier ? apr_array_append(input->pool, earlier, sources) : sources;
}

kc_rc_t kc_conf_set(void *conf, kc_conf_index_t index, int argc, const char *const *argv,
                    const char *file, int line, apr_pool_t *pool, kc_err_t *err)
{
    kc_conf_position_t *position = position_of(conf, index);
    kc_conf_input_t input = {index, argc, argv, position->file != NULL, pool};
    kc_rc_t rc = kc_conf_parse_value(&input, member_of(conf, kc_conf_table_row(index)), err);

    if (rc != KC_OK)
        return rc;
    /* The file is also the set bit. A line without a file counts as written too. */
    position->file = apr_pstrdup(pool, file ? file : "-");
    position->line = line;
    note_sources(position, &input);
    return KC_OK;
}

/* merged is a copy of base. */
static void overlay(void *merged, const void *add, int is_directory)
{
    for (int i = 0; i < KC_CONF_ROWS; i++) {
        const kc_conf_row_t *row = kc_conf_table_row((kc_conf_index_t)i);
        const kc_conf_position_t *position = position_of((void *)add, (kc_conf_index_t)i);

        if (row->is_directory != is_directory || !position->file)
            continue;
        memcpy(member_of(merged, row), (const char *)add + row->offset,
               kc_conf_parse_size(row->type));
        *position_of(merged, (kc_conf_index_t)i) = *position;
    }
}

kc_conf_t *kc_conf_merge(const kc_conf_t *base, const kc_conf_t *add, apr_pool_t *pool)
{
    kc_conf_t *merged = apr_pmemdup(pool, base, sizeof(*base));

    overlay(merged, add, 0);
    return merged;
}

kc_conf_dir_t *kc_conf_dir_merge(const kc_conf_dir_t *base, const kc_conf_dir_t *add,
                                 apr_pool_t *pool)
{
    kc_conf_dir_t *merged = apr_pmemdup(pool, base, sizeof(*base));

    overlay(merged, add, 1);
    return merged;
}

const char *kc_conf_dump(const kc_conf_t *conf, kc_conf_index_t index, apr_pool_t *pool)
{
    if (kc_conf_table_row(index)->is_directory)
        return "(for each directory)";
    return kc_conf_parse_dump(index, (const char *)conf + kc_conf_table_row(index)->offset, pool);
}

/* From the last row to the first, so that a faulty certificate is reported before the key that
 * belongs to it. */
kc_rc_t kc_conf_load(kc_conf_t *conf, kc_conf_index_t *index, apr_pool_t *pool, kc_err_t *err)
{
    for (int i = KC_CONF_ROWS - 1; i >= 0; i--) {
        const kc_conf_row_t *row = kc_conf_table_row((kc_conf_index_t)i);
        kc_conf_file_t *file = member_of(conf, row);
        kc_rc_t rc = KC_OK;

        if (kc_conf_table_file(conf, row))
            rc = kc_conf_secret_contents(file, row->is_private, pool, err);
        if (rc != KC_OK) {
            *index = (kc_conf_index_t)i;
            return rc;
        }
    }
    return KC_OK;
}
