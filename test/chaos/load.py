# SPDX-License-Identifier: Apache-2.0
"""Load by many signed-in users, which checks whether each answer is the right one."""

import socket
import threading
import time

TIMEOUT = 10  # seconds that an answer is waited for

OK, LOST, FAILED, DOWN = "ok", "lost", "failed", "down"


class Person:
    """Somebody who is signed in: what to send, and what the backend should say."""

    def __init__(self, user, cookie, port):
        self.user, self.cookie = user, cookie
        self.expected = f"you are {user}\n".encode()
        self.request = (f"GET /page HTTP/1.1\r\nHost: localhost:{port}\r\nAccept: text/html\r\n"
                        f"Sec-Fetch-Mode: navigate\r\nCookie: {cookie}\r\n\r\n").encode()


class Broken(Exception):
    """The connection ended; `answered` tells whether a byte of the answer had come."""

    def __init__(self, answered):
        super().__init__()
        self.answered = answered


class Connection:
    """One kept-alive connection."""

    def __init__(self, port):
        self.port, self.socket, self.used = port, None, False

    def open(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port), TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.used = False

    def close(self):
        if self.socket:
            self.socket.close()
            self.socket = None

    def exchange(self, request):
        """Status and body of one answer."""
        data = b""
        try:
            self.socket.sendall(request)
            while b"\r\n\r\n" not in data:
                data += self.more(data)
            head, _, body = data.partition(b"\r\n\r\n")
            head = head.lower()
            length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]) if b"content-length:" in head else 0
            while len(body) < length:
                body += self.more(data)
        except socket.timeout:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise Broken(bool(data)) from error
        self.used = True
        if b"connection: close" in head:
            self.close()
        return int(head.split(b" ", 2)[1]), body

    def more(self, data):
        piece = self.socket.recv(65536)
        if not piece:
            self.close()
            raise Broken(bool(data))
        return piece


class Load:
    """Threads that ask for one person after another, until told to stop."""

    def __init__(self, port, people, threads=12):
        self.port, self.people = port, people
        self.ending = threading.Event()
        self.records = [[] for _ in range(threads)]  # (begin, end, outcome, what came)
        self.retried = [0] * threads
        self.workers = [threading.Thread(target=self.work, args=(number,), daemon=True)
                        for number in range(threads)]

    def __enter__(self):
        for worker in self.workers:
            worker.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.ending.set()
        for worker in self.workers:
            worker.join(2 * TIMEOUT)

    def work(self, number):
        connection, place = Connection(self.port), number
        step = len(self.workers)
        while not self.ending.is_set():
            person = self.people[place % len(self.people)]
            place += step if len(self.people) % step else step + 1
            begin = time.monotonic()
            outcome, came = self.ask(connection, person, number)
            self.records[number].append((begin, time.monotonic(), outcome, came))
            if outcome == DOWN:
                time.sleep(0.01)
        connection.close()

    def ask(self, connection, person, number):
        """A request of which no byte was answered on a connection used before is sent again, as browsers do."""
        for _ in range(3):
            try:
                if not connection.socket:
                    connection.open()
            except OSError as error:
                connection.close()
                return DOWN, repr(error)
            reused = connection.used
            try:
                status, body = connection.exchange(person.request)
            except socket.timeout:
                return FAILED, "no answer in time"
            except Broken as broken:
                if reused and not broken.answered:
                    self.retried[number] += 1
                    continue
                return FAILED, "the connection was cut"
            return judge(status, body, person)
        return FAILED, "cut three times"

    def all(self):
        return sorted(record for records in self.records for record in list(records))


def judge(status, body, person):
    if status == 200 and body == person.expected:
        return OK, ""
    if status in (302, 303, 401):
        return LOST, f"{person.user}: {status}"
    return FAILED, f"{person.user}: {status} {body[:80]!r}"


def ask_once(port, person):
    """Asks for one person on a connection of its own, until httpd listens: the outcome."""
    connection = Connection(port)
    try:
        connection.open()
        status, body = connection.exchange(person.request)
        return judge(status, body, person)[0]
    except (OSError, Broken):
        return DOWN
    finally:
        connection.close()


def percentile(sorted_values, percent):
    if not sorted_values:
        return 0.0
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * percent / 100))]
