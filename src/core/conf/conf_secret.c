/* Secrets of the configuration: read from a file, the environment or a command, and never shown.
 * SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_secret.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>
#include <apr_time.h>

#include "crypto/crypto.h"

enum {
    SECRET_MAX = 4096 /* bytes of the first line */,
    EXEC_SECONDS = 10,
    EXEC_TICK = 20 /* milliseconds between checks of the command */,
    EXEC_DRAIN_MAX = 64 /* reads of the rest in the pipe of an ended command */
};

/* Output of a file or command, long enough to see whether its first line is too long. */
typedef struct {
    char data[SECRET_MAX + 2];
    size_t len;
} raw_t;

static const char *reason_of(apr_status_t status, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, 100);

    return apr_strerror(status, text, 100);
}

/* source is where it was read, such as "file /etc/secret". */
static kc_rc_t take_line(const char *data, size_t len, const char *source, apr_pool_t *pool,
                         const char **out, kc_err_t *err)
{
    const char *end = memchr(data, '\n', len);

    if (end)
        len = (size_t)(end - data);
    if (len > 0 && data[len - 1] == '\r')
        len--;
    if (len == 0)
        return KC_CONF_REFUSE(err, "%.160s is empty: its first line must be the secret", source);
    if (len > SECRET_MAX)
        return KC_CONF_REFUSE(err, "%.160s: the first line is longer than %d bytes", source,
                              SECRET_MAX);
    for (size_t i = 0; i < len; i++) {
        if (apr_iscntrl(data[i]))
            return KC_CONF_REFUSE(
                err,
                "%.160s: the first line has a control character; write the secret as plain text",
                source);
    }
    *out = kc_buf_copy(data, len, pool);
    return KC_OK;
}

/* ---------------------------------------------------------------- files */

/* What of a file's information is compared. */
#define STAMP_INFO \
    (APR_FINFO_DEV | APR_FINFO_INODE | APR_FINFO_SIZE | APR_FINFO_MTIME | APR_FINFO_CTIME)

static kc_conf_stamp_t stamp_of(const apr_finfo_t *info)
{
    const kc_conf_stamp_t stamp = {info->device, info->inode, info->size, info->mtime, info->ctime};

    return stamp;
}

static kc_rc_t check_file(apr_file_t *file, const char *path, int is_private, apr_pool_t *pool,
                          kc_conf_stamp_t *stamp, kc_err_t *err)
{
    apr_finfo_t info;
    apr_status_t status =
        apr_file_info_get(&info, APR_FINFO_TYPE | APR_FINFO_PROT | STAMP_INFO, file);

    if (status != APR_SUCCESS)
        return KC_CONF_REFUSE(err, "cannot look at file %.140s: %s", path, reason_of(status, pool));
    if (info.filetype != APR_REG)
        return KC_CONF_REFUSE(err, "%.160s is not a regular file", path);
    if (is_private && info.protection & (APR_FPROT_WREAD | APR_FPROT_WWRITE | APR_FPROT_WEXECUTE))
        return KC_CONF_REFUSE(
            err, "file %.100s can be read or written by others: chmod o-rwx '%.100s'", path, path);
    *stamp = stamp_of(&info);
    return KC_OK;
}

/* Opens the file before checking it, so that the checked file is the one that is read. */
static kc_rc_t open_file(const char *path, int is_private, apr_pool_t *pool, apr_file_t **out,
                         kc_conf_stamp_t *stamp, kc_err_t *err)
{
    apr_status_t status;
    kc_rc_t rc;

    if (path[0] != '/')
        return KC_CONF_REFUSE(err, "needs an absolute path of a file, not '%.120s'", path);
    /* Non-blocking: opening a pipe must not hang the server's start. */
    status = apr_file_open(out, path, APR_FOPEN_READ | APR_FOPEN_NONBLOCK, 0, pool);
    if (status != APR_SUCCESS)
        return KC_CONF_REFUSE(err, "cannot read file %.140s: %s", path, reason_of(status, pool));
    rc = check_file(*out, path, is_private, pool, stamp, err);
    if (rc != KC_OK)
        apr_file_close(*out);
    return rc;
}

kc_rc_t kc_conf_secret_contents(kc_conf_file_t *file, int is_private, apr_pool_t *pool,
                                kc_err_t *err)
{
    const char *path = file->path;
    char *text = apr_palloc(pool, KC_CONF_FILE_MAX + 1);
    apr_size_t len = 0;
    kc_conf_stamp_t stamp;
    apr_file_t *opened;
    apr_status_t status;
    kc_rc_t rc = open_file(path, is_private, pool, &opened, &stamp, err);

    if (rc != KC_OK)
        return rc;
    status = apr_file_read_full(opened, text, KC_CONF_FILE_MAX + 1, &len);
    apr_file_close(opened);
    if (status == APR_SUCCESS)
        return KC_CONF_REFUSE(err, "%.160s has more than %d bytes", path, KC_CONF_FILE_MAX);
    if (status != APR_EOF)
        return KC_CONF_REFUSE(err, "cannot read file %.140s: %s", path, reason_of(status, pool));
    if (memchr(text, '\0', len))
        return KC_CONF_REFUSE(err, "%.160s is not a text file", path);
    file->text = kc_buf_copy(text, len, pool);
    file->stamp = stamp;
    kc_crypto_cleanse(text, len);
    return KC_OK;
}

kc_rc_t kc_conf_secret_stamp(const char *path, apr_pool_t *pool, kc_conf_stamp_t *out,
                             kc_err_t *err)
{
    apr_finfo_t info;
    apr_status_t status = apr_stat(&info, path, STAMP_INFO, pool);

    if (status != APR_SUCCESS)
        return KC_CONF_REFUSE(err, "cannot look at file %.140s: %s", path, reason_of(status, pool));
    *out = stamp_of(&info);
    return KC_OK;
}

kc_rc_t kc_conf_secret_text(const kc_conf_file_t *file, int is_private, apr_pool_t *pool,
                            const char **out, kc_err_t *err)
{
    kc_conf_file_t copy = *file;
    kc_rc_t rc = file->text ? KC_OK : kc_conf_secret_contents(&copy, is_private, pool, err);

    *out = copy.text;
    return rc;
}

static kc_rc_t read_file(const char *path, apr_pool_t *pool, kc_conf_file_t *out, kc_err_t *err)
{
    apr_file_t *file;
    raw_t raw;
    kc_rc_t rc = open_file(path, 1, pool, &file, &out->stamp, err);
    apr_status_t status;

    if (rc != KC_OK)
        return rc;
    status = apr_file_read_full(file, raw.data, sizeof(raw.data), &raw.len);
    apr_file_close(file);
    if (status != APR_SUCCESS && status != APR_EOF)
        rc = KC_CONF_REFUSE(err, "cannot read file %.140s: %s", path, reason_of(status, pool));
    else
        rc = take_line(raw.data, raw.len, apr_pstrcat(pool, "file ", path, NULL), pool, &out->text,
                       err);
    if (rc == KC_OK)
        out->path = apr_pstrdup(pool, path);
    kc_crypto_cleanse(&raw, sizeof(raw));
    return rc;
}

/* ---------------------------------------------------------------- environment */

static kc_rc_t read_env(const char *name, apr_pool_t *pool, const char **out, kc_err_t *err)
{
    const char *value = getenv(name);
    const char *source = apr_pstrcat(pool, "environment variable ", name, NULL);

    if (!value)
        return KC_CONF_REFUSE(err, "%.120s is not set where httpd is started", source);
    return take_line(value, strlen(value), source, pool, out, err);
}

/* ---------------------------------------------------------------- commands */

/* Starts the command without a shell, with empty input; its errors go where httpd's go. */
static kc_rc_t start_command(const char *command, apr_pool_t *pool, apr_proc_t *process,
                             kc_err_t *err)
{
    char **words = NULL;
    apr_procattr_t *how = NULL;
    apr_file_t *nothing = NULL;
    apr_status_t status = apr_tokenize_to_argv(command, &words, pool);

    if (status != APR_SUCCESS || !words[0] || words[0][0] != '/')
        return KC_CONF_REFUSE(err, "exec: needs the absolute path of a program, and its arguments");
    status = apr_procattr_create(&how, pool);
    if (status == APR_SUCCESS)
        status = apr_procattr_io_set(how, APR_NO_PIPE, APR_CHILD_BLOCK, APR_NO_PIPE);
    if (status == APR_SUCCESS)
        status = apr_file_open(&nothing, "/dev/null", APR_FOPEN_READ, 0, pool);
    if (status == APR_SUCCESS)
        status = apr_procattr_child_in_set(how, nothing, NULL);
    if (status == APR_SUCCESS)
        status = apr_procattr_cmdtype_set(how, APR_PROGRAM_ENV);
    if (status == APR_SUCCESS)
        status = apr_procattr_error_check_set(how, 1);
    if (status == APR_SUCCESS)
        status = apr_proc_create(process, words[0], (const char *const *)words, NULL, how, pool);
    if (nothing)
        apr_file_close(nothing);
    if (status != APR_SUCCESS)
        return KC_CONF_REFUSE(err, "cannot run %.140s: %s", words[0], reason_of(status, pool));
    return KC_OK;
}

/* Reads what is available within a tick. Bytes that do not fit are dropped, so that the writer
 * never blocks. */
static apr_status_t read_some(apr_file_t *pipe, raw_t *raw)
{
    char chunk[512];
    apr_size_t len = sizeof(chunk);
    apr_status_t status = apr_file_read(pipe, chunk, &len);
    size_t room = sizeof(raw->data) - raw->len;

    if (status == APR_SUCCESS) {
        memcpy(raw->data + raw->len, chunk, len < room ? len : room);
        raw->len += len < room ? len : room;
    }
    kc_crypto_cleanse(chunk, sizeof(chunk));
    return status;
}

/* KC_MISS when the command had to be ended. Its own child may hold the pipe open for longer than
 * the command lives, so this waits for the end of the command, not of its output. */
static kc_rc_t follow(apr_proc_t *process, raw_t *raw, int *code, apr_exit_why_e *why)
{
    apr_time_t deadline = apr_time_now() + apr_time_from_sec(EXEC_SECONDS);

    apr_file_pipe_timeout_set(process->out, apr_time_from_msec(EXEC_TICK));
    while (apr_time_now() < deadline) {
        if (read_some(process->out, raw) == APR_EOF)
            apr_sleep(apr_time_from_msec(EXEC_TICK));
        if (!APR_STATUS_IS_CHILD_DONE(apr_proc_wait(process, code, why, APR_NOWAIT)))
            continue;
        apr_file_pipe_timeout_set(process->out, 0);
        for (int i = 0; i < EXEC_DRAIN_MAX; i++) {
            if (read_some(process->out, raw) != APR_SUCCESS)
                break;
        }
        return KC_OK;
    }
    (void)apr_proc_kill(process, SIGKILL);
    (void)apr_proc_wait(process, code, why, APR_WAIT);
    return KC_MISS;
}

static kc_rc_t read_exec(const char *command, apr_pool_t *pool, const char **out, kc_err_t *err)
{
    apr_proc_t process;
    raw_t raw;
    int code = 0;
    apr_exit_why_e why = APR_PROC_EXIT;
    kc_rc_t rc = start_command(command, pool, &process, err);

    if (rc != KC_OK)
        return rc;
    raw.len = 0;
    rc = follow(&process, &raw, &code, &why);
    apr_file_close(process.out);
    /* The command's arguments are not in the message: one of them may be a password. */
    if (rc != KC_OK)
        rc =
            KC_CONF_REFUSE(err, "the command of exec: did not end within %d seconds", EXEC_SECONDS);
    else if (!APR_PROC_CHECK_EXIT(why) || code != 0)
        rc = KC_CONF_REFUSE(err, "the command of exec: failed with %s %d",
                            APR_PROC_CHECK_EXIT(why) ? "status" : "signal", code);
    else
        rc = take_line(raw.data, raw.len, "the output of exec:", pool, out, err);
    kc_crypto_cleanse(&raw, sizeof(raw));
    return rc;
}

kc_rc_t kc_conf_secret_read(const char *text, unsigned int sources, apr_pool_t *pool,
                            kc_conf_file_t *out, kc_err_t *err)
{
    memset(out, 0, sizeof(*out));
    if (!strncmp(text, "file:", 5))
        return read_file(text + 5, pool, out, err);
    if (!strncmp(text, "env:", 4))
        return read_env(text + 4, pool, &out->text, err);
    if (!strncmp(text, "exec:", 5) && (sources & KC_CONF_SECRET_EXEC))
        return read_exec(text + 5, pool, &out->text, err);
    if (text[0] == '/' && (sources & KC_CONF_SECRET_LITERAL))
        return KC_CONF_REFUSE(err, "looks like a path: write file:PATH to read the secret from it");
    if (!(sources & KC_CONF_SECRET_LITERAL))
        return KC_CONF_REFUSE(err, "takes file:PATH, the secret itself must not stand here");
    return take_line(text, strlen(text), "the value", pool, &out->text, err);
}

const char *kc_conf_secret_source(const char *text, apr_pool_t *pool)
{
    char **words = NULL;

    if (!strncmp(text, "file:", 5) || !strncmp(text, "env:", 4))
        return apr_pstrdup(pool, text);
    if (strncmp(text, "exec:", 5) != 0)
        return "written there";
    if (apr_tokenize_to_argv(text + 5, &words, pool) != APR_SUCCESS || !words[0])
        return "exec:";
    return apr_pstrcat(pool, "exec:", words[0], NULL);
}
