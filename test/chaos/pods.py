# SPDX-License-Identifier: Apache-2.0
"""Rolling updates: judges, memcached and Keycloak are replaced pod by pod under load, as the manifests tell Kubernetes to."""

import signal
import threading
import time

from cluster import Cache, Front, Gateway, Judge, Network, envoy_is_here, image_environment, manifest, relay
from process import free_port, wait_for
from world import Browser, Failure, World

LAG = 1.0  # seconds until the gateway knows of a change of endpoints
SERVICE = ("base/service.yaml", "Service", "mod-auth-keycloak")
DEPLOYMENT = ("base/deployment.yaml", "Deployment", "mod-auth-keycloak")
RULE = ("components/header-mode/destinationrule.yaml", "DestinationRule", "mod-auth-keycloak")
CACHES = ("base/memcached/memcached.yaml", "StatefulSet", "judge-memcached")


class Judges:
    """Deployment and Service of the judge, as Kubernetes runs them."""

    def __init__(self, cluster):
        self.cluster, self.count, self.lock = cluster, 0, threading.Lock()
        self.pods, self.ready, self.ending = [], set(), []
        spec = manifest(*DEPLOYMENT)["spec"]
        self.container = spec["template"]["spec"]["containers"][0]
        self.replicas = spec["replicas"]
        self.grace = spec["template"]["spec"]["terminationGracePeriodSeconds"]
        assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}, "the order of roll()"
        # With it a pod is an endpoint as long as it exists, whether it is ready or ending.
        self.publishes = manifest(*SERVICE)["spec"].get("publishNotReadyAddresses", False)

    def publish(self):
        """Tells the gateway what the Service's endpoints are now."""
        with self.lock:
            pods = [pod for pod in self.pods if self.publishes or (pod in self.ready and pod not in self.ending)]
            self.cluster.gateway.endpoints([pod.address for pod in pods], Judge.PORT)

    def probed(self, pod, name):
        """Waits for one of the pod's probes to succeed, asked as often as the manifest says."""
        probe = self.container[name]
        deadline = time.monotonic() + 90
        while pod.probe(probe["httpGet"]["path"]) != 200:
            pod.child.must_live(f"the judge's {name}")
            if time.monotonic() > deadline:
                raise Failure(f"{name}: not within 90 s\n{pod.log_text()[-3000:]}")
            time.sleep(min(probe["periodSeconds"], 1))

    def add(self):
        self.count += 1
        pod = Judge(self.cluster.network, self.cluster.folder / f"judge-{self.count}", self.cluster.image,
                    self.cluster.environment)
        with self.lock:
            self.pods.append(pod)
        self.publish()
        self.probed(pod, "startupProbe")
        self.probed(pod, "readinessProbe")
        self.ready.add(pod)
        time.sleep(LAG)
        self.publish()

    def end(self, pod):
        """What happens from a pod's deletion on."""
        self.ending.append(pod)
        time.sleep(LAG)
        self.publish()
        time.sleep(max(0, int(self.container["lifecycle"]["preStop"]["exec"]["command"][1]) - LAG))
        pod.child.send(signal.SIGTERM)
        pod.child.process.wait(self.grace)
        time.sleep(LAG)
        with self.lock:
            self.pods.remove(pod)
        self.publish()
        pod.remove()

    def roll(self):
        """All pods are replaced: a new one first, and an old one goes when that one is ready."""
        ends = []
        for old in list(self.pods):
            self.add()
            ends.append(threading.Thread(target=self.end, args=(old,), daemon=True))
            ends[-1].start()
        for thread in ends:
            thread.join(120)


class Cluster:
    """Gateway, judges, two memcached and two Keycloak pods, and people who are signed in."""

    sign_in, outcomes = World.sign_in, World.outcomes

    def __init__(self, ground):
        envoy_is_here()
        self.ground, self.folder, self.people = ground, ground.folder(), []
        self.image = image_environment(ground.room.module)
        self.caches, self.fronts, self.count = {}, [], 0
        self.network, self.relay = Network(), None

    def __enter__(self):
        self.network.__enter__()
        try:
            self.furnish()
        except BaseException:
            self.__exit__()
            raise
        return self

    def furnish(self):
        spec = manifest(*CACHES)["spec"]
        self.arguments, self.pause = spec["template"]["spec"]["containers"][0]["args"], spec["minReadySeconds"]
        for number in range(spec["replicas"]):
            self.start_cache(number)
        self.relay = relay(self.network, self.ground.provider.port)
        for _ in range(2):
            self.start_front()
        self.gateway = Gateway(self.folder / "gateway", self.ground.backend.port, manifest(*RULE))
        self.port, self.url = self.gateway.port, self.gateway.url + "/"
        self.environment = {
            "PUBLIC_URL": self.gateway.url,
            "OIDC_PROVIDER": self.ground.provider.issuer, "CLIENT_ID": "app", "AUTHSERVICE_URL_PREFIX": "/authservice/",
            "BACKCHANNEL_URL": f"http://keycloak.test:{Front.PORT}",
            "CLIENT_SECRET_FILE": str(self.ground.room.folder / "client-secret"),
            "CRYPTO_KEY_FILE": str(self.ground.room.folder / "crypto-key"),
            "MEMCACHED_SERVERS": " ".join(f"memcached-{number}.test:{Cache.PORT}" for number in self.caches)}
        self.judges = Judges(self)
        for _ in range(self.judges.replicas):
            self.judges.add()
        self.gateway.start()

    def start_cache(self, number):
        self.count += 1
        pod = Cache(self.network, self.folder / f"memcached-{self.count}", self.arguments, self.ground.room.user)
        self.caches[number] = pod
        self.network.name(f"memcached-{number}.test", pod.address)

    def start_front(self):
        self.count += 1
        self.fronts.append(Front(self.network, self.folder / f"keycloak-{self.count}",
                                 f"{self.network.host}:{self.ground.provider.port}"))
        self.network.name("keycloak.test", *(pod.address for pod in self.fronts))

    def roll_caches(self, pause):
        """As a StatefulSet is rolled: the last one first, each gone before it comes back, empty and at a new address."""
        for number in sorted(self.caches, reverse=True):
            old = self.caches[number]
            old.child.send(signal.SIGTERM)
            old.child.process.wait(10)
            old.remove()
            self.start_cache(number)
            time.sleep(pause)

    def roll_fronts(self, pause):
        """As a Deployment is rolled: a new one first, and the old one is an endpoint no longer when it ends."""
        for old in list(self.fronts):
            self.start_front()
            self.fronts.remove(old)
            self.network.name("keycloak.test", *(pod.address for pod in self.fronts))
            time.sleep(LAG)
            old.child.send(signal.SIGQUIT)  # nginx: finish what is under way, as Keycloak does (--shutdown-timeout)
            old.child.process.wait(30)
            old.remove()
            time.sleep(pause)

    def log(self):
        return "\n".join(f"{pod.name}:\n{pod.log_text()[-2000:]}" for pod in self.judges.pods)

    def __exit__(self, *_):
        if hasattr(self, "gateway"):
            self.gateway.stop()
        for pod in [*(self.judges.pods if hasattr(self, "judges") else []), *self.caches.values(), *self.fronts]:
            pod.remove()
        if self.relay:
            self.relay.stop()
        self.network.__exit__()


class Arrivals:
    """Somebody new signs in again and again; `failures` has what came in place of the page."""

    def __init__(self, cluster):
        self.cluster, self.ending, self.count, self.failures = cluster, threading.Event(), 0, []
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self):
        while not self.ending.is_set():
            try:
                page = Browser().get(self.cluster.url + "page")
                if page.status != 200 or not page.text.startswith("you are "):
                    self.failures.append(str(page))
            except Failure as failure:
                self.failures.append(str(failure))
            self.count += 1
            time.sleep(0.1)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join(60)


def rolled(cluster, result, under_load, roll, count=40):
    """People who go on, people who are away meanwhile, and people who come meanwhile: nobody notices anything."""
    away = cluster.sign_in(count // 2)
    active = cluster.people = [*away, *cluster.sign_in(count)][len(away):]
    began = time.monotonic()
    with Arrivals(cluster) as arrivals:
        under_load(result, cluster, roll)
    result.expect(arrivals.count > 10 and not arrivals.failures,
                  f"who came meanwhile signed in: {len(arrivals.failures)} of {arrivals.count} failed {arrivals.failures[:2]}")
    result.nobody_lost(cluster.outcomes(active), len(active))
    found = cluster.outcomes(away)
    result.note = f"{arrivals.count} sign-ins meanwhile, {time.monotonic() - began:.0f} s; who was away: {found}"
    return found, away


def judges(ground, result, under_load):
    with Cluster(ground) as cluster:
        _, away = rolled(cluster, result, under_load, cluster.judges.roll)
        result.nobody_lost(cluster.outcomes(away), len(away))


def caches(ground, result, under_load, short):
    with Cluster(ground) as cluster:
        rolled(cluster, result, under_load, lambda: cluster.roll_caches(5 if short else cluster.pause))


def keycloaks(ground, result, under_load, short):
    """All tokens are due in the same seconds. What waits for an address that is dead has at most 20 places in a child: 8
    that talk to Keycloak and 12 that wait."""
    with Cluster(ground) as cluster:
        ground.provider.forget()
        ground.change(lifetime=15, keeps_users=True)
        try:
            _, away = rolled(cluster, result, under_load, lambda: cluster.roll_fronts(6 if short else 20),
                             count=16)
        finally:
            ground.change(lifetime=86400, keeps_users=False)
        renewed = ground.provider.refreshes()
        result.expect(renewed >= 16, f"tokens were renewed meanwhile: {renewed} times")
        result.nobody_lost(cluster.outcomes(away), len(away))
