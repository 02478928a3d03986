# SPDX-License-Identifier: Apache-2.0
"""Headless Chromium for tests of a page, driven by chromedriver (W3C WebDriver, over HTTP)."""

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from carla_unet_ros.labels import Uint8

_SECONDS_TO_START = 60.0
# As root, without a GPU, and without calls home.
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--enable-unsafe-swiftshader",
    "--use-angle=swiftshader",
    "--window-size=1000,700",
]


class Browser:
    """One window; `close` ends it. Skips the test where there is no Chromium."""

    def __init__(self, folder: Path) -> None:
        driver, chromium = shutil.which("chromedriver"), shutil.which("chromium")
        if not (driver and chromium):
            pytest.skip("no page can be looked at: apt install chromium chromium-driver")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._driver = subprocess.Popen(
            [driver, f"--port={port}"], stdout=subprocess.DEVNULL, start_new_session=True
        )
        self._url = f"http://127.0.0.1:{port}/session"
        options = {"binary": chromium, "args": [*_ARGUMENTS, f"--user-data-dir={folder}"]}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        self._url += f"/{self._first_answer(wanted)['sessionId']}"

    def open(self, page: str) -> None:
        self._ask("/url", {"url": page})

    def look(self) -> Uint8:
        """What the window shows: uint8 [H, W, 3], B, G, R; black where it takes too long to draw.

        Without a GPU a busy machine draws a picture in seconds.
        """
        try:
            png = base64.b64decode(self._ask("/screenshot"))
        except OSError:
            return np.zeros((1, 1, 3), np.uint8)
        return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), np.uint8)

    def close(self) -> None:
        os.killpg(self._driver.pid, signal.SIGKILL)  # with the browser that it started
        self._driver.wait()

    def _first_answer(self, wanted: dict[str, Any]) -> Any:
        until = time.monotonic() + _SECONDS_TO_START
        while time.monotonic() < until:
            with contextlib.suppress(urllib.error.URLError):
                return self._ask("", wanted)
            time.sleep(0.1)
        pytest.fail(f"chromedriver does not answer within {_SECONDS_TO_START:.0f} s")

    def _ask(self, path: str, content: dict[str, Any] | None = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self._url + path, data)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]
