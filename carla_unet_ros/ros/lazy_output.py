# SPDX-License-Identifier: Apache-2.0
"""A topic that is computed from other topics, while somebody subscribes to it.

Without a subscriber nothing is received and nothing computed. What cannot be computed is counted,
logged and told on /diagnostics.
"""

from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from carla_unet_ros.ros.diagnostics import OK, WARN, status
from carla_unet_ros.ros.lifecycle import STEADY
from carla_unet_ros.ros.qos_overrides import check_qos_overrides
from carla_unet_ros.ros.topic_types import find_wrong_type

_SECONDS_BETWEEN_WARNINGS = 5.0


class NotYetError(ValueError):
    """Something that a message needs has not come yet; the text says what."""


class LazyOutput:
    """One output topic of a node, its inputs, and its status once a second."""

    def __init__(
        self,
        node: Node,
        kind: type,
        topic: str,
        subscribe: Callable[[], list[Subscription]],
        forget: Callable[[], None],
        describe_inputs: Callable[[], tuple[str, dict[str, str]]],
    ) -> None:
        """Publishes the output topic, reliable and volatile unless its QoS is overridden.

        subscribe:       subscribes to the inputs
        forget:          drops what came from the inputs, after they were unsubscribed
        describe_inputs: for /diagnostics: what is wrong with the inputs, "" for nothing, and
                         further values

        ValueError for a QoS override that cannot be.
        """
        check_qos_overrides(node)
        self._node = node
        self._noun = topic.rpartition("/")[2].replace("_", " ")
        self._subscribe, self._forget, self._describe_inputs = subscribe, forget, describe_inputs
        self._subscriptions: list[Subscription] = []
        self._published = self._skipped = 0
        self._problem = ""
        self._publishers: list[Publisher] = []
        self._publisher = self.add_publisher(kind, topic)
        self._diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        node.create_timer(1.0, self._report, clock=STEADY)
        self._follow_subscribers()

    def add_publisher(self, kind: type, topic: str) -> Publisher:
        """A publisher of a further topic, whose subscribers want the inputs, too."""
        matched = PublisherEventCallbacks(matched=lambda _: self._follow_subscribers())
        made = self._node.create_publisher(
            kind,
            topic,
            QoSProfile(depth=1),
            event_callbacks=matched,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self._publishers.append(made)
        return made

    def publish(self, make: Callable[[], Any]) -> None:
        """Publishes what `make` returns; a ValueError that it raises says why there is nothing."""
        logger = self._node.get_logger()
        try:
            message = make()
        except NotYetError as problem:
            self._problem = str(problem)
            logger.info(
                self._problem, throttle_duration_sec=_SECONDS_BETWEEN_WARNINGS, skip_first=True
            )
        except ValueError as problem:
            self._problem = str(problem)
            self._skipped += 1
            logger.warning(
                f"no {self._noun} ({self._skipped} so far): {problem}",
                throttle_duration_sec=_SECONDS_BETWEEN_WARNINGS,
            )
        else:
            self._publisher.publish(message)
            self._published += 1
            self._problem = ""

    def _follow_subscribers(self) -> None:
        """Subscribes to the inputs while somebody wants the output, and only then."""
        wanted = any(made.get_subscription_count() for made in self._publishers)
        if wanted and not self._subscriptions:
            self._subscriptions = self._subscribe()
        elif not wanted and self._subscriptions:
            for subscription in self._subscriptions:
                self._node.destroy_subscription(subscription)
            self._subscriptions = []
            self._problem = ""
            self._forget()

    def _report(self) -> None:
        problem, figures = self._describe_inputs()
        wrong_type = find_wrong_type(self._node, self._subscriptions)
        problem = wrong_type or self._problem or problem
        if not self._subscriptions:
            level, text = OK, f"idle: nobody subscribes to the {self._noun}"
        elif problem:
            level, text = WARN, problem
        else:
            level, text = OK, "ready"
        values = {"messages out": str(self._published), "inputs skipped": str(self._skipped)}
        name = self._node.get_fully_qualified_name()
        message = DiagnosticArray(status=[status(name, level, text, values | figures)])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._diagnostics.publish(message)
