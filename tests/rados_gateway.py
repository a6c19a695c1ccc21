"""A real S3 server for tests: Ceph's RADOS gateway on one node, on loopback, with everything below one folder.

`make test-s3` installs its Debian packages. A start takes about 12 s: one monitor, one OSD that keeps its objects in
memory, one gateway. The gateway alone may be killed and started again; what was stored outlives it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

PROGRAMS = ("ceph-mon", "ceph-osd", "ceph", "radosgw", "radosgw-admin")
STARTS_WITHIN = 90.0
POLL = 0.05
PR_SET_PDEATHSIG = 1

CONFIGURATION = """
[global]
fsid = {fsid}
mon initial members = a
mon host = [v1:127.0.0.1:{monitor}]
ms bind msgr2 = false
public addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 2147483648
osd class update on start = false
osd crush update on start = false
mon allow pool size one = true
mon data avail crit = 1
mon max pg per osd = 1000
admin socket = {folder}/$name.asok
log file = {folder}/$name.log
pid file = {folder}/$name.pid
run dir = {folder}
crash dir = {folder}/crash
rgw dns name = localhost
rgw enable usage log = false
rgw bucket quota ttl = 0
rgw gc obj min wait = 1
rgw cache enabled = false
[mon.a]
mon addr = 127.0.0.1:{monitor}
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
"""


class RadosGateway:
    """A context manager: a running S3 server at `endpoint`, and its first user's `access_key` and `secret_key`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.access_key, self.secret_key = "FIRSTUSERSACCESSKEY0", uuid.uuid4().hex
        self.port, self._running = free_port(), contextlib.ExitStack()
        self._gateway: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as until_ready:
            until_ready.enter_context(self._running)
            self._configure()
            self._start_monitor()
            self._start_osd()
            self.add_user("first", access_key=self.access_key, secret_key=self.secret_key)
            self.restart()
            until_ready.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._running.close()

    def kill(self) -> None:
        """SIGKILL for the gateway; monitor and OSD, which hold the objects, stay."""
        if self._gateway is not None:
            _end(self._gateway)

    def restart(self) -> None:
        """Starts the gateway again at the same endpoint; returns when it answers."""
        self.kill()
        self._gateway = self._start_gateway(f"endpoint=127.0.0.1:{self.port}", port=self.port, name="client.rgw")

    @contextlib.contextmanager
    def serving_tls(self, certificate: Path, key: Path) -> Iterator[int]:
        """Another gateway of the same cluster, which presents `certificate`; yields its port on loopback."""
        port = free_port()
        frontend = f"ssl_endpoint=127.0.0.1:{port} ssl_certificate={certificate} ssl_private_key={key}"
        process = self._start_gateway(frontend, port=port, name=f"client.rgw{port}")
        try:
            yield port
        finally:
            _end(process)

    def admin(self, *arguments: str) -> str:
        """What `radosgw-admin` printed."""
        return self._call("radosgw-admin", *arguments)

    def add_user(self, name: str, *, access_key: str, secret_key: str, **options: str) -> None:
        """Makes a user; `options` are passed on, as in max_buckets="0"."""
        more = [f"--{option.replace('_', '-')}={value}" for option, value in options.items()]
        keys = (f"--access-key={access_key}", f"--secret-key={secret_key}")
        self.admin("user", "create", f"--uid={name}", f"--display-name={name}", *keys, *more)

    def environment(self) -> dict[str, str]:
        """The variables that give a process the first user's rights, and nothing else."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}

    def _configure(self) -> None:
        for name in ("mon", "osd", "crash"):
            (self.folder / name).mkdir(parents=True)
        self._fsid = str(uuid.uuid4())
        self._monitor_port = free_port()
        text = CONFIGURATION.format(fsid=self._fsid, monitor=self._monitor_port, folder=self.folder)
        (self.folder / "ceph.conf").write_text(text)

    def _start_monitor(self) -> None:
        keyring, monmap = self.folder / "keyring", self.folder / "monmap"
        self._call(
            "ceph-authtool", "--create-keyring", str(keyring), "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"
        )
        place = f"[v1:127.0.0.1:{self._monitor_port}]"
        self._call("monmaptool", "--create", "--addv", "a", place, "--fsid", self._fsid, str(monmap))
        self._call("ceph-mon", "--mkfs", "-i", "a", "--monmap", str(monmap), "--keyring", str(keyring))
        self._start("ceph-mon", "-i", "a", "--foreground")

    def _start_osd(self) -> None:
        identity = str(uuid.uuid4())
        self._ask_monitor("osd", "new", identity)
        self._call("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", identity)
        self._ask_monitor("osd", "crush", "add", "osd.0", "1.0", "root=default", "host=localhost")
        osd = self._start("ceph-osd", "-i", "0", "--foreground")
        deadline = time.monotonic() + STARTS_WITHIN
        while "1 up" not in self._ask_monitor("osd", "stat"):
            self._require_alive(osd, deadline)

    def _start_gateway(self, frontend: str, *, port: int, name: str) -> subprocess.Popen[bytes]:
        served = f"--rgw-frontends=beast {frontend} tcp_nodelay=1"  # as servers do; off by default in this release
        process = self._start("radosgw", "--foreground", "--name", name, served)
        deadline = time.monotonic() + STARTS_WITHIN
        while not (answers_http(port) if "ssl_" not in frontend else listens(port)):
            self._require_alive(process, deadline)
        return process

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / "output.log").open("ab") as log:
            process = subprocess.Popen(self._full(command), stdout=log, stderr=log, preexec_fn=_die_with_parent)
        self._running.callback(_end, process)
        return process

    def _call(self, *command: str) -> str:
        done = subprocess.run(self._full(command), capture_output=True, text=True, timeout=STARTS_WITHIN, check=False)
        if done.returncode:
            raise RuntimeError(f"{command[0]} {command[1]} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def _ask_monitor(self, *command: str) -> str:
        """What `ceph` printed; a monitor that has just begun refuses some calls, under load (EPERM)."""
        deadline = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                return self._call("ceph", *command)
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL)

    def _full(self, command: tuple[str, ...]) -> list[str]:
        plain = command[0] in ("ceph-authtool", "monmaptool")
        return [command[0], *(() if plain else ("-c", str(self.folder / "ceph.conf"))), *command[1:]]

    def _require_alive(self, process: subprocess.Popen[bytes], deadline: float) -> None:
        if process.poll() is not None or time.monotonic() > deadline:
            output = (self.folder / "output.log").read_text(errors="replace")
            raise RuntimeError(f"{process.args} does not run ({process.returncode}): {output[-3000:]}")
        time.sleep(POLL)


def free_port() -> int:
    """A port on loopback that nothing listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def listens(port: int) -> bool:
    """Whether something accepts connections."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def answers_http(port: int) -> bool:
    """Whether an HTTP server answers, with whatever status."""
    try:
        urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
    except HTTPError:
        return True
    except (URLError, ConnectionError, TimeoutError):
        return False
    return True


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


@pytest.fixture(scope="session")
def rados_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RadosGateway]:
    """A real S3 server for the whole session; whoever kills its gateway starts it again."""
    with RadosGateway(tmp_path_factory.mktemp("rados-gateway")) as gateway:
        yield gateway
