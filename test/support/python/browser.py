# SPDX-License-Identifier: Apache-2.0
"""A small web browser without a window: cookies, redirects, and Keycloak's sign-in form."""

import http.client
import json
import ssl
import time
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from process import Failure

NAVIGATION = [
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) sign-in client"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Sec-Fetch-Site", "none"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "document"),
]
SCRIPT = [("Accept", "application/json"), ("X-Requested-With", "XMLHttpRequest")]
MOST_REDIRECTS = 12


class Response:
    def __init__(self, url, status, headers, body, history):
        self.url, self.status, self.headers, self.body = url, status, headers, body
        self.history = history

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.body)

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name):
        return next(iter(self.all(name)), None)

    def __repr__(self):
        return f"<{self.status} {self.url} {self.text[:400]!r}>"


class Cookie:
    def __init__(self, line, host, request_path):
        first, *attributes = [part.strip() for part in line.split(";")]
        self.name, _, self.value = first.partition("=")
        self.host, self.line = host, line
        self.path = request_path.rsplit("/", 1)[0] or "/"
        self.gone = False
        for attribute in attributes:
            key, _, value = attribute.partition("=")
            key = key.lower()
            if key == "path" and value.startswith("/"):
                self.path = value
            elif key == "max-age":
                self.gone = int(value) <= 0
            elif key == "expires" and "max-age" not in line.lower():
                self.gone = parsedate_to_datetime(value).timestamp() <= time.time()

    def matches(self, host, path):
        # Loopback hosts are trustworthy without TLS, so Secure cookies go there as well.
        prefix = self.path if self.path.endswith("/") else self.path + "/"
        return host == self.host and (path == self.path or path.startswith(prefix))


class Form(HTMLParser):
    """The form with one id: where it goes and what it holds."""

    def __init__(self, html, form_id):
        super().__init__()
        self.form_id, self.inside = form_id, False
        self.action, self.fields, self.remark = None, {}, []
        self.remark_depth = 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form" and attrs.get("id") == self.form_id:
            self.inside, self.action = True, attrs.get("action")
        elif tag == "input" and self.inside and attrs.get("name"):
            if attrs.get("type") not in ("checkbox", "submit", "button"):
                self.fields[attrs["name"]] = attrs.get("value") or ""
        if (attrs.get("id") or "").startswith("input-error"):
            self.remark_depth = 1

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = False
        self.remark_depth = 0

    def handle_data(self, data):
        if self.remark_depth and data.strip():
            self.remark.append(data.strip())


def sign_in_form(response):
    """Keycloak's sign-in form on this page, or None."""
    if response.status != 200:
        return None
    form = Form(response.text, "kc-form-login")
    return form if form.action else None


class Browser:
    def __init__(self, ca_file=None):
        self.cookies = {}
        self.tls = ssl.create_default_context(cafile=ca_file) if ca_file else None

    def cookie(self, name):
        return next((cookie for cookie in self.cookies.values() if cookie.name == name), None)

    def cookie_header(self, host, path):
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.cookies.values()
                         if cookie.matches(host, path))

    def _keep(self, host, path, headers):
        for name, line in headers:
            if name.lower() != "set-cookie":
                continue
            cookie = Cookie(line, host, path)
            place = (cookie.host, cookie.path, cookie.name)
            if cookie.gone:
                self.cookies.pop(place, None)
            else:
                self.cookies[place] = cookie

    def send(self, method, url, headers, body=None):
        """One request and its answer, with this browser's cookies."""
        parts = urlsplit(url)
        path = parts.path or "/"
        target = path + ("?" + parts.query if parts.query else "")
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=30,
                                                     context=self.tls)
        else:
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            cookies = self.cookie_header(parts.hostname, path)
            if cookies:
                connection.putheader("Cookie", cookies)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            content = answer.read()
            received = answer.getheaders()
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"{method} {url.partition('?')[0]}: {error!r}") from error
        finally:
            connection.close()
        self._keep(parts.hostname, path, received)
        return Response(url, answer.status, received, content, [])

    def get(self, url, headers=(), follow=True, kind=NAVIGATION, method="GET", body=None):
        """A request and, unless told otherwise, the redirects that it leads to."""
        given = {name.lower() for name, _ in headers}
        headers = [pair for pair in kind if pair[0].lower() not in given] + list(headers)
        history = []
        response = self.send(method, url, headers, body)
        while follow and response.status in (301, 302, 303, 307, 308):
            history.append(response)
            if len(history) > MOST_REDIRECTS:
                raise Failure("more redirects than a browser follows: " +
                              " -> ".join(step.url.partition("?")[0] for step in history))
            if response.status in (301, 302, 303) and method != "HEAD":
                method, body = "GET", None
                headers = [pair for pair in headers if pair[0].lower() != "content-type"]
            target = urljoin(response.url, response.header("Location"))
            response = self.send(method, target, headers, body)
        response.history = history
        return response

    def post(self, url, fields, headers=(), follow=True, kind=NAVIGATION):
        body = urlencode(fields).encode()
        headers = [("Content-Type", "application/x-www-form-urlencoded"), *headers]
        return self.get(url, headers, follow, kind, "POST", body)

    def fill_in(self, response, username, password, follow=True):
        """Sends Keycloak's form on this page with a name and a password."""
        form = sign_in_form(response)
        if not form:
            raise Failure(f"no sign-in form of Keycloak at {response.url.partition('?')[0]} "
                          f"(status {response.status}):\n{response.text[:1500]}")
        fields = {**form.fields, "username": username, "password": password, "credentialId": ""}
        answer = self.post(urljoin(response.url, form.action), fields, follow=follow)
        again = sign_in_form(answer)
        if again:
            raise Failure(f"Keycloak does not accept {username}'s password: "
                          f"{' '.join(again.remark) or 'the form came back'}")
        return answer

    def sign_in(self, url, username, password, headers=()):
        """Opens a page as a person would who is not signed in yet, and signs in."""
        return self.fill_in(self.get(url, headers), username, password)
