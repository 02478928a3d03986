"""Label sets: which class ids there are, what they are called, which colour they are drawn in.

A label image is uint8 [height, width], one class id per pixel; 255 (IGNORE) means "no known
class" and counts in no loss and no score. Every id, name and colour in the project comes from a
`LabelSet`; the tables behind them stand in `carla_tags.py`.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from carla_unet_ros.labels.carla_tags import BROADER, TAG_TABLES, Colour

Uint8 = npt.NDArray[np.uint8]

IGNORE = 255
"""The class id of pixels that are not labelled."""

UNKNOWN_TAG = 254
"""What a palette lookup gives for a colour that no class has."""


@dataclass(frozen=True)
class LabelClass:
    """One class: its id in label images, its name, its colour as (R, G, B)."""

    id: int
    name: str
    colour: Colour

    def to_entry(self) -> dict[str, Any]:
        """The class as JSON texts have it: id, name, rgb."""
        return {"id": self.id, "name": self.name, "rgb": list(self.colour)}


@dataclass(frozen=True)
class LabelSet:
    """Classes with the ids 0 .. len - 1, and the span of CARLA versions that uses these tags."""

    name: str
    carla_tags: str
    classes: tuple[LabelClass, ...]

    def __post_init__(self) -> None:
        ids = [label.id for label in self.classes]
        if not self.classes or ids != list(range(len(ids))) or len(ids) > UNKNOWN_TAG:
            raise ValueError(
                f"label set {self.name!r} has the ids {ids}; expected 0, 1, 2, ... without gaps, "
                f"at most {UNKNOWN_TAG} classes"
            )
        if len(set(self.names)) != len(ids):
            raise ValueError(f"label set {self.name!r} has two classes of one name: {self.names}")

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.classes)

    def ids(self, names: Iterable[str]) -> list[int]:
        """Class ids of these names; ValueError that lists the known names for an unknown one."""
        known = {label.name: label.id for label in self.classes}
        wanted = list(names)
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise ValueError(
                f"label set {self.name!r} has no class {', '.join(map(repr, unknown))}; "
                f"it has {', '.join(known)}"
            )
        return [known[name] for name in wanted]

    @cached_property
    def palette_bgr(self) -> Uint8:
        """Colours as uint8 [256, 3], in OpenCV's order B, G, R; ids without a class are white."""
        palette = np.full((256, 3), 255, np.uint8)
        for label in self.classes:
            palette[label.id] = label.colour[::-1]
        palette.flags.writeable = False
        return palette

    @cached_property
    def _colours_sorted(self) -> tuple[npt.NDArray[np.int32], Uint8]:
        """Packed colours in rising order and the id of each.

        Of two classes that share a colour the first stands for both (0.9.0-0.9.1 only).
        """
        packed, first = np.unique(_pack(self.palette_bgr[: len(self)]), return_index=True)
        return packed, first.astype(np.uint8)

    def ids_of_colours(self, image: Uint8) -> Uint8:
        """Palette-coloured image uint8 [..., 3 or 4] in B, G, R(, A) -> class ids uint8 [...].

        Colours that no class has become UNKNOWN_TAG: a caller decides whether that is an error.
        """
        packed, ids = self._colours_sorted
        pixels = _pack(image)
        places = np.minimum(np.searchsorted(packed, pixels), len(packed) - 1)
        return np.where(packed[places] == pixels, ids[places], np.uint8(UNKNOWN_TAG))

    def to_json(self) -> str:
        """The set as JSON, as model files and the legend topic carry it."""
        return json.dumps(
            {
                "name": self.name,
                "carla_tags": self.carla_tags,
                "classes": [label.to_entry() for label in self.classes],
            }
        )

    @staticmethod
    def from_json(text: str) -> "LabelSet":
        """The inverse of `to_json`; ValueError that says what is wrong with the text."""
        try:
            data = json.loads(text)
            classes = tuple(
                LabelClass(int(entry["id"]), str(entry["name"]), _colour(entry["rgb"]))
                for entry in data["classes"]
            )
            return LabelSet(str(data["name"]), str(data["carla_tags"]), classes)
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"not a label set: {error!r} in {text[:80]!r}") from error


def carla_label_set(version: str) -> LabelSet:
    """All tags of a CARLA version, under CARLA's own ids.

    `version` is a span as in TAG_TABLES ("0.9.14-0.9.16", "0.8.x") or one release ("0.9.15").
    ValueError that lists the spans for any other.
    """
    span = _span_of(version)
    return _label_set(f"carla {span}", span)


def carla_13() -> LabelSet:
    """The 13 classes every CARLA version can tell apart; what the shipped model predicts.

    Ids and names are those of the 0.8.x tags, which newer versions refine (`mapping`).
    """
    return _label_set("carla-13", "0.8.x")


def label_set(name: str) -> LabelSet:
    """A label set by its name: "carla-13", or a CARLA version as `carla_label_set` takes it."""
    return carla_13() if name == "carla-13" else carla_label_set(name)


def mapping(source: LabelSet, target: LabelSet) -> Uint8:
    """Lookup uint8 [256] from source ids to target ids, used as `table[label_image]`.

    A class goes to the class of its name, else to the nearest broader one that the target knows
    (`BROADER`: a truck is a vehicle). What the target has no word for, and every id that is no
    class of the source, becomes IGNORE: nothing is guessed.
    """
    targets = {label.name: label.id for label in target.classes}
    table = np.full(256, IGNORE, np.uint8)
    for label in source.classes:
        for name in (label.name, *BROADER.get(label.name, ())):
            if name in targets:
                table[label.id] = targets[name]
                break
    return table


def _label_set(name: str, span: str) -> LabelSet:
    table = TAG_TABLES[span]
    classes = tuple(LabelClass(id, *entry) for id, entry in enumerate(table.items()))
    return LabelSet(name, span, classes)


def _span_of(version: str) -> str:
    if version in TAG_TABLES:
        return version
    release = _release(version)
    for span in TAG_TABLES:
        if span.endswith(".x") and release and release[:2] == _release(span[:-2]):
            return span
        first, _, last = span.partition("-")
        bounds = _release(first), _release(last)
        if release and bounds[0] and bounds[1] and bounds[0] <= release <= bounds[1]:
            return span
    raise ValueError(
        f"no tag table for CARLA {version!r}; known: {', '.join(TAG_TABLES)}, "
        "or one release inside a span, such as 0.9.15"
    )


def _release(text: str) -> tuple[int, ...] | None:
    return tuple(map(int, text.split("."))) if re.fullmatch(r"\d+(\.\d+)+", text) else None


def _pack(image: Uint8) -> npt.NDArray[np.int32]:
    """B, G, R in the last axis -> one int per pixel."""
    blue, green, red = (image[..., channel].astype(np.int32) for channel in range(3))
    return blue | green << 8 | red << 16


def _colour(values: Iterable[int]) -> Colour:
    red, green, blue = (int(value) for value in values)
    if not all(0 <= value <= 255 for value in (red, green, blue)):
        raise ValueError(f"colour {(red, green, blue)} is outside 0..255")
    return red, green, blue
