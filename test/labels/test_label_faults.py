# SPDX-License-Identifier: Apache-2.0
"""Label faults of CARLA's versions."""

from pathlib import Path

import pytest

from carla_unet_ros.labels.label_faults import FAULTS, describe_label_faults


@pytest.mark.parametrize("version", ["0.9.16", "0.9.16-3-gabc123", "0.9.14-0.9.16", "0.10.0"])
def test_faults_of_a_release_a_build_and_a_span_are_told(version: str):
    assert "known fault of the labels of CARLA 0." in describe_label_faults(version)


@pytest.mark.parametrize("version", ["0.9.15", "0.9.13", "0.8.x", "ue5-dev-after-0.10.0", "f1a2"])
def test_nothing_is_told_of_other_versions(version: str):
    assert describe_label_faults(version) == ""


def test_the_documents_name_the_same_versions():
    text = (Path(__file__).parents[2] / "docs" / "carla.md").read_text()
    section = text.partition("## Wrong labels of the simulator")[2].partition("\n## ")[0]
    rows = [row.split("|")[1].split()[0] for row in section.splitlines() if row.startswith("| 0")]
    assert rows == list(FAULTS)
