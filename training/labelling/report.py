# SPDX-License-Identifier: Apache-2.0
"""Reports by class how many pixels were voted for and how many were kept."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from carla_unet_ros.labels import IGNORE, LabelSet, Uint8

_CARLA_13_TAGS = "0.8.x"


@dataclass
class Report:
    """Counts pixels frame by frame.

    source, models: the frames, and the models that labelled them
    labels:         the models' label set
    thresholds:     uint8 [classes], the lowest confidence that is kept
    problems:       one sentence for each frame that could not be read
    source_problem: why the source has fewer frames than it should have, or ""
    """

    source: str
    models: list[str]
    labels: LabelSet
    thresholds: Uint8
    frames: int = 0
    problems: list[str] = field(default_factory=list)
    source_problem: str = ""

    def __post_init__(self) -> None:
        self._voted = np.zeros(256, np.int64)
        self._kept = np.zeros(256, np.int64)

    def count(self, voted: Uint8, kept: Uint8) -> None:
        """Adds a frame: the labels [H, W] of the vote, and those that were written."""
        self._voted += np.bincount(voted.ravel(), minlength=256)
        self._kept += np.bincount(kept.ravel(), minlength=256)
        self.frames += 1

    @property
    def tags(self) -> str:
        """The value for `carla_unet_train --tags`: ids of carla-13 are the tags of 0.8.x."""
        return _CARLA_13_TAGS if self.labels.name == "carla-13" else self.labels.carla_tags

    @property
    def unsure(self) -> float:
        """Share of all pixels that are IGNORE."""
        return float(self._kept[IGNORE] / max(1, self._kept.sum()))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; shares of all pixels, thresholds in 0..1."""
        return {
            "source": self.source,
            "models": self.models,
            "tags": self.tags,
            "frames": self.frames,
            "unsure": self.unsure,
            "thresholds": self._by_name(self.thresholds / 255),
            "voted": self._by_name(self._voted / max(1, self._voted.sum())),
            "kept": self._by_name(self._kept / max(1, self._kept.sum())),
            "problems": self.problems,
            "source_problem": self.source_problem,
        }

    def text(self) -> str:
        """A table for a terminal."""
        figures = self.as_dict()
        voted, kept, thresholds = (figures[key] for key in ("voted", "kept", "thresholds"))
        lines = [
            f"{self.frames} frames labelled, {self.unsure:.0%} of their pixels unsure (255)",
            f"  {'class':16} voted   kept   from confidence",
        ]
        lines += [
            f"  {name:16} {voted[name]:6.2%} {kept[name]:6.2%}   {thresholds[name]:.2f}"
            for name in self.labels.names
        ]
        if self.problems:
            lines.append(f"  left out {len(self.problems)}: {self.problems[0]}")
        if self.source_problem:
            lines.append(f"  frames are missing: {self.source_problem}")
        return "\n".join(lines)

    def _by_name(self, values: np.ndarray) -> dict[str, float]:
        return {name: round(float(values[i]), 6) for i, name in enumerate(self.labels.names)}
