# SPDX-License-Identifier: Apache-2.0
"""Label sets: the class ids of a label image, with their names and colours.

A label image is uint8 [height, width], one class id per pixel. 255 (IGNORE) means "no known
class"; such pixels count in no loss and in no score. Every id, name and colour in the project
comes from a `LabelSet`. `carla_tags.py` holds the tables behind them.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from carla_unet_ros.errors import InputError
from carla_unet_ros.labels.carla_tags import BROADER, TAG_TABLES, Colour
from carla_unet_ros.labels.json_text import read_json, shortened

Uint8 = npt.NDArray[np.uint8]

IGNORE = 255
"""The class id of pixels that are not labelled."""

UNKNOWN_TAG = 254
"""The id that a palette lookup gives for a colour of no class."""

_LONGEST_NAME = 100


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
    """Classes with the ids 0 .. len - 1, and the span of CARLA versions that uses them as tags."""

    name: str
    carla_tags: str
    classes: tuple[LabelClass, ...]

    def __post_init__(self) -> None:
        ids = [label.id for label in self.classes]
        if not self.classes or ids != list(range(len(ids))) or len(ids) > UNKNOWN_TAG:
            raise InputError(
                f"label set {self.name!r} has the ids {shortened(ids)}; expected 0, 1, 2, ... "
                f"without gaps, at most {UNKNOWN_TAG} classes"
            )
        if len(set(self.names)) != len(ids):
            raise InputError(
                f"label set {self.name!r} has two classes of one name: {shortened(self.names)}"
            )

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.classes)

    def ids(self, names: Iterable[str]) -> list[int]:
        """The class ids of these names. ValueError for an unknown name, with the known ones."""
        known = {label.name: label.id for label in self.classes}
        wanted = list(names)
        unknown = [name for name in wanted if name not in known]
        if unknown:
            raise InputError(
                f"label set {self.name!r} has no class {', '.join(map(repr, unknown))}; "
                f"it has {', '.join(known)}"
            )
        return [known[name] for name in wanted]

    @cached_property
    def palette_bgr(self) -> Uint8:
        """Colours uint8 [256, 3] by id, in OpenCV's order B, G, R. Ids of no class are white."""
        palette = np.full((256, 3), 255, np.uint8)
        for label in self.classes:
            palette[label.id] = label.colour[::-1]
        palette.flags.writeable = False
        return palette

    @cached_property
    def _colours_sorted(self) -> tuple[npt.NDArray[np.int32], Uint8]:
        """The packed colours in rising order, and the id of each.

        If two classes share a colour, it gets the id of the first (0.9.0-0.9.1 only).
        """
        packed, first = np.unique(_pack(self.palette_bgr[: len(self)]), return_index=True)
        return packed, first.astype(np.uint8)

    def ids_of_colours(self, image: Uint8) -> Uint8:
        """Image in palette colours uint8 [..., 3 or 4], B, G, R(, A) -> class ids uint8 [...].

        A colour of no class becomes UNKNOWN_TAG; the caller decides whether that is an error.
        """
        packed, ids = self._colours_sorted
        pixels = _pack(image)
        places = np.minimum(np.searchsorted(packed, pixels), len(packed) - 1)
        return np.where(packed[places] == pixels, ids[places], np.uint8(UNKNOWN_TAG))

    def to_json(self) -> str:
        """The set as JSON text, as model files and the legend topic hold it."""
        return json.dumps(
            {
                "name": self.name,
                "carla_tags": self.carla_tags,
                "classes": [label.to_entry() for label in self.classes],
            }
        )

    @staticmethod
    def from_json(text: str) -> "LabelSet":
        """Reads what `to_json` wrote. ValueError says what is wrong with another text."""
        return LabelSet.from_data(read_json(text))

    @staticmethod
    def from_data(data: Any) -> "LabelSet":
        """The same for JSON that was read before."""
        try:
            classes = tuple(
                LabelClass(_whole(entry["id"]), _name(entry["name"]), _colour(entry["rgb"]))
                for entry in data["classes"]
            )
            return LabelSet(_name(data["name"]), _name(data["carla_tags"]), classes)
        except KeyError as error:
            raise InputError(f"a label set lacks {error}: {shortened(data)}") from error
        except TypeError as error:
            raise InputError(f"no label set ({error}): {shortened(data)}") from error


def carla_label_set(version: str) -> LabelSet:
    """The label set of a CARLA version: all its tags, under CARLA's own ids.

    version: a span of TAG_TABLES ("0.9.14-0.9.16", "0.8.x"), or one release ("0.9.15")

    ValueError for any other version; it lists the spans.
    """
    span = _span_of(version)
    return _label_set(f"carla {span}", span)


def carla_13() -> LabelSet:
    """The label set of the shipped model: 13 classes that every CARLA version can tell apart.

    Ids and names are those of the 0.8.x tags. Newer versions divide some of these classes further
    (`mapping`).
    """
    return _label_set("carla-13", "0.8.x")


def label_set(name: str) -> LabelSet:
    """The label set of this name: "carla-13", or a CARLA version as in `carla_label_set`."""
    return carla_13() if name == "carla-13" else carla_label_set(name)


def mapping(source: LabelSet, target: LabelSet) -> Uint8:
    """Lookup table uint8 [256] from source ids to target ids, used as `table[label_image]`.

    A class becomes the target's class of the same name. Where there is none, it becomes the
    nearest broader class of the target (`BROADER`: a truck is a vehicle). All other ids become
    IGNORE: nothing is guessed.
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
    raise InputError(
        f"no tag table for CARLA {version!r}; known: {', '.join(TAG_TABLES)}, "
        "or one release inside a span, such as 0.9.15"
    )


def _release(text: str) -> tuple[int, ...] | None:
    return tuple(map(int, text.split("."))) if re.fullmatch(r"\d+(\.\d+)+", text) else None


def _pack(image: Uint8) -> npt.NDArray[np.int32]:
    """B, G, R in the last axis -> one int per pixel."""
    blue, green, red = (image[..., channel].astype(np.int32) for channel in range(3))
    return blue | green << 8 | red << 16


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InputError(f"{shortened(value)} is no whole number")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        raise InputError(f"{shortened(value)} is no name of at most {_LONGEST_NAME} characters")
    return value


def _colour(values: Any) -> Colour:
    red, green, blue = (_whole(value) for value in values)
    if not all(0 <= value <= 255 for value in (red, green, blue)):
        raise InputError(f"colour {(red, green, blue)} is outside 0..255")
    return red, green, blue
