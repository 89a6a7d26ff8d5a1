#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kubeflow's gateway with the image as judge: real Envoy, Keycloak and memcached, stand-ins for dashboard, notebook and pipelines.

Keycloak is set up as one does by hand in its console, in the realm master; the judge gets the files params.env and
secret_params.env of an installation of Kubeflow 1.7 to 1.9.0, and is asked by its EnvoyFilter.
"""

import secrets
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from backend import USER_HEADER, Backend, values  # noqa: E402
from demo import PORT, ROOT, URL, Demo, main, say  # noqa: E402
from browser import Browser, sign_in_form  # noqa: E402
from gateway import Gateway, filters_of  # noqa: E402
from image import IMAGE, Image  # noqa: E402
from memcached import Memcached  # noqa: E402
from process import port_taken, unprivileged_user, wait_for  # noqa: E402
from streams import StreamBackend, WebSocket  # noqa: E402

HERE = Path(__file__).resolve().parent / "kubeflow"
FILTERS = {
    "the EnvoyFilter of Kubeflow 1.7 to 1.9.0": HERE / "envoy-filter.yaml",
    "the EnvoyFilter of docker/kubeflow":
        ROOT / "docker" / "kubeflow" / "components" / "oidc-authservice" / "envoyfilter.yaml",
}
JUDGE = "outbound|8080||authservice.istio-system.svc.cluster.local"  # as the EnvoyFilters name it
CALLBACK = URL + "/authservice/oidc/callback"
USERS = ("alice", "bob")

NOTEBOOK = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Notebook</title>
<body style="font: 16px/1.5 system-ui, sans-serif; max-width: 40rem; margin: 2rem auto">
<h1>Notebook</h1><p>A kernel answers over a WebSocket: <strong id="answer">not yet</strong></p><p><a href="/">Dashboard</a></p>
<script>
const socket = new WebSocket(`ws://${location.host}/notebook/alice/first/api/kernels/1/channels`);
const say = text => { document.getElementById("answer").textContent = text; };
socket.onopen = () => setInterval(() => socket.send(new Date().toLocaleTimeString()), 1000);
socket.onmessage = event => say(event.data);
socket.onclose = () => say("closed");
</script></body></html>
"""

# As in the dashboards of Kubeflow up to 1.9.1; scripts cannot read the cookie.
LOG_OUT = """
document.getElementById("logout").addEventListener("click", async event => {
  event.preventDefault();
  const answer = await fetch("/authservice/logout", {method: "POST", headers: {Authorization: "Bearer "}});
  location.href = (await answer.json()).afterLogoutURL;
});
"""


def environment(name, words):
    """The variables in a file of kustomize's kind, which keeps quotes; `words`: what stands there for what must be filled in."""
    text = (HERE / name).read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(word, value)
    return dict(line.split("=", 1) for line in text.splitlines() if line)


class Judge(Image):
    """As an account of no rights, with what it needs in a folder of its own that this account may read."""

    def __init__(self, folder, module, settings):
        self.room = Path(tempfile.mkdtemp(prefix="keycloak-judge."))
        shutil.copytree(IMAGE, self.room / "image")
        super().__init__(shutil.copy(module, self.room), self.room / "run", folder / "judge.log", {
            "CRYPTO_KEY_FILE": str(self.room / "crypto-key"), **settings}, self.room / "image", unprivileged_user())

    def start(self, seconds=30):
        (self.room / "run").mkdir()
        (self.room / "crypto-key").write_text(secrets.token_urlsafe(36) + "\n", encoding="ascii")
        (self.room / "crypto-key").chmod(0o600)
        self.log.touch()
        if self.user:
            for place in (self.room, self.room / "run", self.room / "crypto-key", self.log):
                shutil.chown(place, self.user)
        super().start(seconds)

    def stop(self):
        super().stop()
        shutil.rmtree(self.room, ignore_errors=True)


class Kubeflow(Demo):
    folder = ROOT / "build" / "demo-kubeflow"

    def __init__(self, module):
        super().__init__(module)
        self.judge = self.gateway = self.notebook = self.pipelines = None

    def set_up_client(self):
        """In the console: a client with authentication and one redirect URI, and two users with an e-mail address."""
        self.keycloak.admin("POST", "/master/clients", {
            "clientId": "kubeflow-oidc-authservice", "publicClient": False, "standardFlowEnabled": True,
            "redirectUris": [CALLBACK]})
        for name in USERS:
            password = secrets.token_urlsafe(9)
            self.keycloak.admin("POST", "/master/users", {
                "username": name, "email": f"{name}@example.com", "emailVerified": False, "enabled": True,
                "firstName": name.capitalize(), "lastName": "Example",
                "credentials": [{"type": "password", "value": password, "temporary": False}]})
            self.users.append((name, f"{name}@example.com", password))
        client = self.keycloak.admin("GET", "/master/clients?clientId=kubeflow-oidc-authservice")[0]
        return self.keycloak.admin("GET", f"/master/clients/{client['id']}/client-secret")["value"]

    def start(self):
        self.start_keycloak()
        say("starting memcached and the stand-ins for dashboard, notebook and pipelines")
        self.memcached = Memcached(self.folder)
        self.backend = Backend(name="dashboard", script=LOG_OUT, links=(
            ("/notebook/alice/first/", "Notebook"), ("/pipeline/", "Pipelines")))
        self.notebook = StreamBackend(NOTEBOOK)
        self.pipelines = Backend(name="pipelines", links=(("/", "Dashboard"),))
        self.keycloak.ready()
        say("Keycloak answers; making client and users in the realm master")
        words = {"<host>:8080": f"localhost:{self.keycloak.port}",
                 "<from the client's Credentials tab>": self.set_up_client()}
        self.judge = Judge(self.folder, self.module, {
            **environment("params.env", words), **environment("secret_params.env", words),
            "MEMCACHED_SERVERS": self.memcached.address})
        say("starting the judge by the image's entrypoint, with params.env and secret_params.env")
        self.judge.start()

    def open_gateway(self, name, file):
        """Envoy with the filter of this file; without one of ours there are no routes of ours either."""
        routes = [("/notebook/", self.notebook.port), ("/pipeline", self.pipelines.port), ("/", self.backend.port)]
        if file.parent != HERE:
            routes = [("/authservice/backchannel-logout", self.judge.pages_port), ("/authservice/sessions", self.judge.pages_port), *routes]
        say(f"starting Envoy at {URL}/ with {name}")
        self.gateway = Gateway(self.folder / "envoy", PORT, filters_of(file.read_text(encoding="utf-8")),
                               {JUDGE: self.judge.port}, routes)
        self.gateway.start()

    def serve(self):
        self.open_gateway(*list(FILTERS.items())[-1])
        say("ready")
        print(f"\n    Open          {URL}/\n")
        for name, email, password in self.users:
            print(f"    Sign in as    {name:<8} password {password:<18} ({email})")
        print(f"\n    Keycloak      {self.keycloak.url}/admin/master/console/   admin, password "
              f"{self.keycloak.admin_password}")
        print(f"\n    Settings      {HERE}/params.env\n    Judge's log   {self.judge.log}\n    Envoy         "
              f"{self.gateway.folder}/envoy.json\n\n    Ctrl-C ends everything.\n", flush=True)
        self.watch(self.keycloak.child, self.memcached.child, self.judge.child, self.gateway.child)

    def log_text(self):
        return self.judge.log_text() if self.judge else ""

    def once(self):
        """All steps with either filter; a Failure when anything is wrong."""
        for (name, file), user in zip(FILTERS.items(), self.users, strict=True):
            self.open_gateway(name, file)
            self.walk(*user)
            if user != self.users[-1]:
                self.gateway.stop()
                wait_for(lambda: not port_taken(PORT), 20, "the gateway's port is free again")
        say("ending the judge: nobody may come in now")
        self.judge.child.stop()
        answer = Browser().get(URL + "/", follow=False)
        self.expect(answer.status in (403, 503), f"without a judge the gateway answers {answer}")
        say("refused")

    def walk(self, name, email, password):
        browser = self.sign_in(name, email, password)
        self.see_identity(browser, email)
        self.see_notebook(browser)
        self.upload(browser, email)
        self.sign_out(browser, name)

    def sign_in(self, name, email, password):
        count, browser = len(self.backend.requests), Browser()
        form = browser.get(URL + "/")
        self.expect(sign_in_form(form), f"no sign-in form of Keycloak, but {form}")
        self.expect(len(self.backend.requests) == count, "the dashboard was reached without a session")
        say(f"signing in as {name}")
        page = browser.fill_in(form, name, password)
        self.expect(page.status == 200 and page.url == URL + "/" and page.header("X-Backend") == "dashboard",
                    f"the sign-in did not lead to the dashboard, but to {page}")
        users = values(self.backend.requests[-1]["headers"], USER_HEADER)
        self.expect(users == [email], f"the identity is not {email} once, but {users}")
        say(f"the dashboard saw {USER_HEADER}: {email}")
        return browser

    def see_identity(self, browser, email):
        answer = browser.get(URL + "/api/identity", [(USER_HEADER, "evil@example.com"), ("Kubeflow-UserID", "evil@example.com")])
        users = values(self.backend.requests[-1]["headers"], USER_HEADER)
        self.expect(answer.status == 200 and users == [email], f"a forged name makes the identity {users}")
        say("a forged name does not arrive")

    def see_notebook(self, browser):
        path = "/notebook/alice/first/api/kernels/1/channels"
        refused = WebSocket(PORT, path)
        self.expect(refused.status != 101, "a WebSocket opens without a session")
        refused.close()
        socket = WebSocket(PORT, path, [("Cookie", browser.cookie_header("localhost", "/"))])
        self.expect(socket.status == 101 and socket.is_open(), f"the notebook's WebSocket is answered by {socket.status}")
        socket.close()
        say("the notebook's WebSocket is open for who is signed in, and for nobody else")

    def upload(self, browser, email):
        body, kind = b"x" * 300000, [("Content-Type", "application/octet-stream"), ("Accept", "application/json")]
        count = len(self.pipelines.requests)
        refused = Browser().send("POST", URL + "/pipeline/apis/v2beta1/pipelines/upload", kind, body)
        self.expect(refused.status == 401 and len(self.pipelines.requests) == count,
                    f"an upload without a session is answered by {refused}")
        answer = browser.send("POST", URL + "/pipeline/apis/v2beta1/pipelines/upload", kind, body)
        seen = self.pipelines.requests[-1]
        self.expect(answer.status == 200 and seen["body_bytes"] == len(body) and seen["user"] == email,
                    f"an upload is answered by {answer}")
        say("an upload reaches the pipelines; one of nobody is 401")

    def sign_out(self, browser, name):
        say("signing out as the dashboard does")
        cookie = browser.cookie_header("localhost", "/")
        answer = browser.send("POST", URL + "/authservice/logout", [
            ("Accept", "*/*"), ("Authorization", "Bearer "), ("Origin", URL)], b"")
        self.expect(answer.status == 201, f"the logout is answered by {answer}")
        after = browser.get(answer.json()["afterLogoutURL"])
        self.expect(sign_in_form(after), f"logout does not lead to a new sign-in, but to {after}")
        replayed = Browser().get(URL + "/", [("Cookie", cookie)], follow=False)
        self.expect(replayed.status == 302, f"the session cookie still counts: {replayed}")
        user = self.keycloak.admin("GET", f"/master/users?exact=true&username={name}")[0]
        self.expect(not self.keycloak.admin("GET", f"/master/users/{user['id']}/sessions"),
                    "Keycloak's own session outlived the logout")
        say("signed out: the session is gone, here and at Keycloak")

    def stop(self):
        for part in (self.gateway, self.judge, self.memcached, self.backend, self.notebook, self.pipelines, self.keycloak):
            if part:
                part.stop()


if __name__ == "__main__":
    sys.exit(main(Kubeflow))
