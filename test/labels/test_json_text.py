# SPDX-License-Identifier: Apache-2.0
"""JSON from outside: plain values, or one sentence, whatever the text is."""

import pytest

from carla_unet_ros.labels import LabelSet, carla_13
from carla_unet_ros.labels.json_text import LONGEST, read_json, shortened
from carla_unet_ros.labels.legend import Legend


def test_plain_json_is_read() -> None:
    assert read_json('{"a": [1, 2.5, "ü", null, true]}') == {"a": [1, 2.5, "ü", None, True]}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON"),
        ("{", "no JSON"),
        ('{"a": 1e999}', "no finite number"),
        ('{"a": -1e999}', "no finite number"),
        ('{"a": Infinity}', "Infinity is no number"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": "\\ud800"}', "no Unicode"),
        ('{"a": "\ud800"}', "no Unicode"),
        ("[" * 100_000, "nested too deep"),
        ("[" * 100_000 + "]" * 100_000, "nested too deep"),
        ('{"a":' * 50_000, "nested too deep"),
        ('{"a": ' + "1" * 5000 + "}", "no JSON"),
        (" " * (LONGEST + 1), "1000001 characters"),
    ],
    ids=lambda value: value[:12].strip() or "empty",
)
def test_anything_else_is_refused_in_a_sentence(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refusal:
        read_json(text)
    assert len(str(refusal.value)) < 400
    str(refusal.value).encode()  # it can be printed and published


def test_a_long_text_is_shown_by_its_beginning() -> None:
    assert shortened("ab") == "'ab'"
    assert shortened("x" * 1_000_000, 4) == "'xxx... (1000000 long)"


def entry(**changed: object) -> dict[str, object]:
    return {"id": 0, "name": "Roads", "rgb": [1, 2, 3]} | changed


@pytest.mark.parametrize(
    "changed",
    [
        {"id": True},
        {"id": 0.0},
        {"id": "0"},
        {"name": 7},
        {"name": "x" * 1_000_000},
        {"rgb": [1, 2]},
        {"rgb": [1, 2, 3.0]},
        {"rgb": "123"},
        {"rgb": None},
    ],
    ids=str,
)
def test_a_class_of_the_wrong_kinds_makes_no_label_set(changed: dict[str, object]) -> None:
    data = {"name": "r", "carla_tags": "", "classes": [entry(**changed)]}
    with pytest.raises(ValueError, match=r".+") as refusal:
        LabelSet.from_data(data)
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize("data", [None, 3, "text", [], {"classes": {"a": 1}}, {"classes": [None]}])
def test_what_is_no_label_set_at_all_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match="label set"):
        LabelSet.from_data(data)


def test_a_legend_of_this_package_is_read() -> None:
    legend = Legend(carla_13(), carla_13(), "net", "OpenVINO")
    assert Legend.from_json(legend.to_json()) == legend
