/* A real memcached for tests.
 * SPDX-License-Identifier: Apache-2.0 */
#include "memcached_server.h"

#include <apr_strings.h>
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "testlib.h"

enum { STARTS_MAX = 6000 };

static void nap(void)
{
    static const struct timespec span = {0, 10000000};

    (void)nanosleep(&span, NULL);
}

static int is_listening(int port)
{
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int is_connected;

    ck_assert_int_ge(fd, 0);
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected = !connect(fd, (struct sockaddr *)&address, sizeof(address));
    (void)close(fd);
    return is_connected;
}

/* It dies with the test, even if that crashes; that holds only while it stays the same user. */
static void memcached_exec(int port)
{
    const struct passwd *user = getpwuid(geteuid());
    char port_text[16];

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)snprintf(port_text, sizeof(port_text), "%d", port);
    (void)execlp("memcached", "memcached", "-l", "127.0.0.1", "-U", "0", "-t", "1", "-m", "16",
                 "-p", port_text, "-u", user ? user->pw_name : "nobody", (char *)NULL);
    _exit(127);
}

void memcached_server_start(memcached_server_t *server, int port)
{
    int tries;

    server->port = port;
    server->text = apr_psprintf(testlib_pool, "127.0.0.1:%d", port);
    server->pid = fork();
    ck_assert_int_ge(server->pid, 0);
    if (!server->pid)
        memcached_exec(port);
    for (tries = 0; !is_listening(port); tries++) {
        int status = 0;

        if (waitpid(server->pid, &status, WNOHANG) == server->pid)
            ck_abort_msg("memcached does not start (status %d); is it installed? "
                         "apt-get install memcached",
                         status);
        ck_assert_msg(tries < STARTS_MAX, "memcached does not listen");
        nap();
    }
}

void memcached_server_end(memcached_server_t *server)
{
    if (!server->pid)
        return;
    (void)kill(server->pid, SIGKILL);
    (void)waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

void memcached_server_stop(const memcached_server_t *server)
{
    int status = 0;

    ck_assert_int_eq(kill(server->pid, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(server->pid, &status, WUNTRACED), server->pid);
    ck_assert(WIFSTOPPED(status));
}
