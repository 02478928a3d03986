# SPDX-License-Identifier: Apache-2.0
"""A node whose publishers keep what they publish: for the order in which things go out."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class RecordingPublisher:
    """subscribers: how many it says it has."""

    topic: str
    events: list[str]
    subscribers: int = 0
    messages: list[Any] = field(default_factory=list)

    def get_subscription_count(self) -> int:
        return self.subscribers

    def publish(self, message: Any) -> None:
        self.messages.append(message)
        self.events.append(f"published {self.topic}")


class RecordingNode:
    """events: what was published, in this order; a test may add what was made."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.publishers: dict[str, RecordingPublisher] = {}

    def create_publisher(self, kind: type, topic: str, *_: Any, **__: Any) -> RecordingPublisher:
        del kind
        self.publishers[topic] = RecordingPublisher(topic, self.events)
        return self.publishers[topic]

    def destroy_publisher(self, publisher: RecordingPublisher) -> None:
        del self.publishers[publisher.topic]
