# SPDX-License-Identifier: Apache-2.0
"""A lifecycle node that can start itself and that no request can kill.

It closes three gaps of rclpy: without a manager nothing configures the node, an unexpected error
in a transition is silently dropped, and a transition requested in the wrong state ends the
process.
"""

import traceback
from collections.abc import Callable
from typing import Any

from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.timer import Timer

from carla_unet_ros.ros.bond import Bond, form_bond
from carla_unet_ros.ros.rclpy_private import RCLError

STEADY = Clock(clock_type=ClockType.STEADY_TIME)
"""For timers that must run while simulation time stands still."""


class RefusedError(Exception):
    """Raised if a transition is not possible now; the node keeps its state and may retry."""


class ManagedNode(LifecycleNode):
    """Lifecycle node whose transitions are the four methods below.

    Each may raise RefusedError, which is logged as one sentence; on any other exception the node
    logs the traceback and cleans up.

    A manager that activates it gets a bond (bond.py).

    refusal: why the last transition failed, for diagnostics; "" if it succeeded
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.refusal = ""
        self._starter: Timer | None = None
        self._starts_itself = False
        self._bond: Bond | None = None
        change_state = self._service(ChangeState)
        self._answer_change_state = change_state.callback
        change_state.callback = self._on_change_state

    def configure(self) -> None: ...

    def activate(self) -> None: ...

    def deactivate(self) -> None: ...

    def clean_up(self) -> None:
        """Frees everything; may be called in any state."""

    @property
    def state(self) -> str:
        """The current state: unconfigured, inactive, active or finalized."""
        answer = self._service(GetState).callback(GetState.Request(), GetState.Response())
        return answer.current_state.label

    def start_soon(self) -> None:
        """Configures and activates the node as soon as it spins."""
        self._starts_itself = True
        self._starter = self.create_timer(0.0, self._start, clock=STEADY)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._attempt(self.configure, state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        result = self._attempt(self.activate, state)
        if result == TransitionCallbackReturn.SUCCESS and not self._starts_itself:
            self._bond = form_bond(self)
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._break_bond()
        return self._attempt(self.deactivate, state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._attempt(self.clean_up, state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._break_bond()
        return self._attempt(self.clean_up, state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        failed = self.refusal
        result = self._attempt(self.clean_up, state)
        self.refusal = self.refusal or failed
        return result

    def destroy_node(self) -> None:
        self._break_bond()
        super().destroy_node()

    def _break_bond(self) -> None:
        if self._bond is not None:
            self._bond.shutdown()
            self._bond = None

    def _attempt(
        self, transition: Callable[[], None], state: LifecycleState
    ) -> TransitionCallbackReturn:
        try:
            transition()
        except RefusedError as refusal:
            self.refusal = str(refusal)
            self.get_logger().error(self.refusal)
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            # rclpy discards unexpected errors, so the traceback is logged here.
            trace = "".join(traceback.format_exception(error))
            self.refusal = f"unexpected error on the way from {state.label}: {error!r}"
            self.get_logger().fatal(f"unexpected error on the way from {state.label}: {trace}")
            return TransitionCallbackReturn.ERROR
        self.refusal = ""
        return TransitionCallbackReturn.SUCCESS

    def _start(self) -> None:
        if self._starter is not None:
            self.destroy_timer(self._starter)
            self._starter = None
        if self.state != "unconfigured":
            return
        if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    def _service(self, kind: type) -> Any:
        """One of the services that every lifecycle node has, by its type."""
        return next(service for service in self.services if service.srv_type is kind)

    def _on_change_state(
        self, request: ChangeState.Request, response: ChangeState.Response
    ) -> ChangeState.Response:
        try:
            return self._answer_change_state(request, response)
        except RCLError as error:
            asked = request.transition.label or request.transition.id
            self.get_logger().error(f"transition {asked} is not possible now: {error}")
            response.success = False
            return response
