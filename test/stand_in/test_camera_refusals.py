# SPDX-License-Identifier: Apache-2.0
"""What the stand-in camera refuses before it sends anything, in a sentence and with status 1."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest


def failing(*arguments: str) -> str:
    """What the node prints before it ends with status 1."""
    command = [sys.executable, "-m", "carla_unet_ros.stand_in.camera_node", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stderr


@pytest.mark.usefixtures("ros_domain")
@pytest.mark.parametrize(
    ("parameter", "sentence"),
    [
        ("role_name:=a/b", "'a/b' is no part of a topic name"),
        ("seed:=-1", "seed"),
        ("cameras:=9", "cameras"),
        ("tags:='0.7'", "no tag table for CARLA '0.7'"),
        ("truth:=depth", "expected one of palette, raw"),
        ("depth:=raw", "expected one of metres, coded"),
        ("source:=/no/such/folder", "/no/such/folder has no known layout"),
    ],
)
def test_wrong_parameters_end_in_a_sentence(parameter: str, sentence: str):
    assert sentence in failing("--ros-args", "-p", parameter)


@pytest.mark.usefixtures("ros_domain")
def test_a_missing_mask_is_named(tmp_path: Path):
    for name in ("rgb/000.png", "label/000.png", "rgb/001.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.zeros((20, 30), np.uint8))
    printed = failing("--ros-args", "-p", f"source:={tmp_path}", "-p", "tags:=0.8.x")
    assert f"{tmp_path}/rgb/001.png has no mask" in printed
