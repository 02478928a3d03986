# SPDX-License-Identifier: Apache-2.0
"""StopOnSignal: which signals set the flag, and what is left of it."""

import os
import signal
from collections.abc import Iterator

import pytest

from carla_unet_ros.stop_on_signal import StopOnSignal

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture(autouse=True)
def in_a_terminal() -> Iterator[None]:
    """SIGHUP as a terminal has it, also where the tests themselves run behind nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_sets_the_flag_and_interrupts_nothing(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with StopOnSignal() as stop:
        assert not stop
        os.kill(os.getpid(), number)
        assert stop
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_behind_nohup_a_closed_terminal_stops_nothing() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with StopOnSignal() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not stop
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
