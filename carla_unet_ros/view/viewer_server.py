# SPDX-License-Identifier: Apache-2.0
"""Runs Rerun's server: a process that keeps the time line and serves the page that shows it.

A process of its own, because only the `rerun` program can be told on which address to listen, and
because its memory is then counted and limited by itself.
"""

import ipaddress
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from carla_unet_ros.errors import InputError
from carla_unet_ros.ros.child_process import end_with_parent

_SECONDS_TO_START = 30.0
_SECONDS_TO_END = 3.0
_ESTABLISHED = "01"  # as in Linux's include/net/tcp_states.h
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Place(NamedTuple):
    """Where the server listens: an IP address, the page's port, and that of its data."""

    address: str
    port: int
    data_port: int


class Cost(NamedTuple):
    """What a process has used so far: seconds of CPU, and the bytes of memory it holds now."""

    cpu: float
    memory: int


class ViewerServer:
    """A running server; `close` ends it.

    page:     the URL for a browser
    data_url: where a recording sends its data
    """

    def __init__(self, place: Place, megabytes: int) -> None:
        """InputError where the place cannot be used, or the server does not start."""
        if place.port == place.data_port:
            raise InputError(
                f"page_port and data_port are both {place.port}; expected two different ports"
            )
        for port in (place.port, place.data_port):
            _check_free(place.address, port)
        self._place = place
        self.data_url = f"rerun+http://{_in_url(place.address)}:{place.data_port}/proxy"
        self.page = _page(place)
        # The program keeps settings and usage data in the user's folders, and sends them home.
        self._home = tempfile.TemporaryDirectory(prefix="carla_unet_view_")
        self._log = Path(self._home.name) / "log.txt"
        self._process = self._start(megabytes)
        self._wait_until_it_listens()

    def problem(self) -> str:
        """Why nothing can be shown any more; "" while the server runs."""
        status = self._process.poll()
        return "" if status is None else f"the server has ended with status {status}{self._said()}"

    def cost(self) -> Cost:
        """What the server has used; nothing once it has ended."""
        return process_cost(self._process.pid) if self._process.poll() is None else Cost(0.0, 0)

    def browsers(self) -> int:
        """How many viewers are connected."""
        return _connections_of_others(self._place.data_port)

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._home.cleanup()

    def _start(self, megabytes: int) -> "subprocess.Popen[bytes]":
        place = self._place
        options = {
            "bind": place.address,
            "port": place.data_port,
            "web-viewer-port": place.port,
            "server-memory-limit": f"{megabytes}MB",
        }
        if not ipaddress.ip_address(place.address).is_loopback:
            # Only pages of this machine may read the data otherwise, and who looks from elsewhere
            # knows it by another name.
            options["cors-allow-origin"] = f"http://*:{place.port}"
        environment = os.environ | {
            "XDG_CONFIG_HOME": self._home.name,
            "XDG_DATA_HOME": self._home.name,
            "NO_COLOR": "1",
        }
        program = _program()
        subprocess.run(
            [program, "analytics", "disable"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [
                    program,
                    "--serve-web",
                    *(f"--{name}={value}" for name, value in options.items()),
                ],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in a terminal reaches this process alone, which then ends the server.
                start_new_session=True,
                preexec_fn=end_with_parent,
            )

    def _wait_until_it_listens(self) -> None:
        place = self._place
        until = time.monotonic() + _SECONDS_TO_START
        while not all(_listens(place.address, port) for port in (place.port, place.data_port)):
            problem = self.problem()
            if problem or time.monotonic() > until:
                self.close()
                raise InputError(problem or f"the server does not answer on {self.page}")
            time.sleep(0.05)

    def _said(self) -> str:
        lines = self._log.read_text(errors="replace").split("\n")
        return "".join(f"; it says: {line.strip()}" for line in lines if "error" in line.lower())


def process_cost(process: int) -> Cost:
    """What a process of this machine has used, by its id."""
    folder = Path("/proc") / str(process)
    # The name of the program may hold spaces and brackets.
    figures = (folder / "stat").read_text().rpartition(")")[2].split()
    ticks = int(figures[11]) + int(figures[12])
    return Cost(ticks / _CLOCK_TICKS, int(figures[21]) * os.sysconf("SC_PAGE_SIZE"))


def _program() -> str:
    import rerun_cli

    # The script of the same name starts this program and does not end with it.
    return os.environ.get("RERUN_CLI_PATH") or str(Path(rerun_cli.__path__[0]) / "rerun")


def _page(place: Place) -> str:
    address = place.address
    if ipaddress.ip_address(address).is_unspecified:
        address = socket.gethostname()
    host = _in_url(address)
    data = quote(f"rerun+http://{host}:{place.data_port}/proxy", safe="")
    return f"http://{host}:{place.port}/?url={data}"


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _check_free(address: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise InputError(
                f"cannot listen on {address}, port {port}: {error.strerror}; set page_address, "
                "page_port or data_port"
            ) from error


def _listens(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _connections_of_others(port: int) -> int:
    """How many TCP connections to this port of this machine are open, but for our own."""
    own = {link.readlink().name for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}
    found = 0
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text().splitlines()[1:] if table.exists() else []:
            _, local, remote, state, *_, inode = line.split()[:10]
            ends = [int(end.rpartition(":")[2], 16) for end in (local, remote)]
            if state == _ESTABLISHED:
                found += ends[0] == port
                found -= ends[1] == port and f"socket:[{inode}]" in own
    return found
