# SPDX-License-Identifier: Apache-2.0
"""Recording against a double of CARLA's client."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import carla_double
import cv2
import numpy as np
import pytest
from carla_double import CAR, ROAD_LINE, Simulator

from carla_unet_ros.labels import carla_13
from carla_unet_ros.training.data.folders import PairFolder
from carla_unet_ros.training.record import main, tags_of_server
from carla_unet_ros.training.recording import carla_drive

SMALL = ("--width", "32", "--height", "16", "--vehicles", "3", "--walkers", "5")
Record = Callable[..., int]


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Record:
    """Runs the tool on a simulator, a few small pairs into tmp_path/out; gives its status."""

    def run(simulator: Simulator, *options: str) -> int:
        monkeypatch.setitem(sys.modules, "carla", simulator)
        few = ("--weathers", "ClearNoon", "--frames", "4", "--every", "3")
        return main(["--out", str(tmp_path / "out"), *SMALL, *few, *options])

    return run


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_frame_and_tags_of_a_pair_are_of_the_same_tick(record: Record, tmp_path: Path):
    assert record(Simulator()) == 0
    out = tmp_path / "out"
    assert names(out / "rgb") == [f"Town01-ClearNoon-{number:06d}.png" for number in range(4)]
    assert names(out / "rgb") == names(out / "label")
    ticks = []
    for name in names(out / "rgb"):
        frame = np.asarray(cv2.imread(str(out / "rgb" / name)))
        label = np.asarray(cv2.imread(str(out / "label" / name), cv2.IMREAD_UNCHANGED))
        ticks.append(int(frame[0, 0, 0]))
        assert frame[0, 0, 1:].tolist() == [100, 200]
        # The double draws the tick into both pictures: as blue, modulo 256, and as so many
        # columns of road line, modulo 32.
        assert label.dtype == np.uint8 and label.shape == (16, 32)
        assert set(label[0]) <= {ROAD_LINE, CAR}
        assert (label[0] == ROAD_LINE).sum() == ticks[-1] % 32
    assert np.diff(ticks).tolist() == [3, 3, 3]


def test_the_training_reads_what_was_recorded(record: Record, tmp_path: Path):
    assert record(Simulator()) == 0
    description = json.loads((tmp_path / "out" / "recording.json").read_text())
    folder = PairFolder(tmp_path / "out", description["tags"], carla_13())
    assert len(folder) == 4
    assert set(np.unique(folder.read(3).labels)) == set(carla_13().ids(["RoadLines", "Vehicles"]))


def test_every_town_and_weather_gets_its_pairs(record: Record, tmp_path: Path):
    simulator = Simulator()
    assert (
        record(simulator, "--towns", "Town02", "Town01", "--weathers", "ClearNoon", "WetSunset")
        == 0
    )
    found = {name[:16] for name in names(tmp_path / "out" / "rgb")}
    assert found == {
        "Town01-ClearNoon",
        "Town02-ClearNoon",
        "Town01-WetSunset",
        "Town02-WetSunset",
    }
    assert len(names(tmp_path / "out" / "rgb")) == 16
    # Four drives, each with streets and traffic of its own.
    assert len(set(simulator.traffic_manager.seeds)) == 4


@pytest.mark.parametrize("synchronous", [False, True])
def test_the_simulator_is_left_as_it_was_found(record: Record, synchronous: bool, capsys):
    simulator = Simulator(synchronous=synchronous)
    assert record(simulator) == 0
    assert simulator.world.settings == carla_double.WorldSettings(synchronous, None)
    assert not simulator.traffic_manager.synchronous
    assert simulator.world.actors == []
    assert ("only one may" in capsys.readouterr().err) == synchronous


def test_after_an_error_the_simulator_is_left_as_it_was_found(
    record: Record, monkeypatch: pytest.MonkeyPatch, capsys
):
    simulator = Simulator()

    def disk_full(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("carla_unet_ros.training.record.write_pair", disk_full)
    assert record(simulator) == 1
    assert "no space left" in capsys.readouterr().err
    assert simulator.world.settings == carla_double.WorldSettings(False, None)
    assert simulator.world.actors == []


def test_ctrl_c_leaves_whole_pairs_and_the_simulator_as_it_was(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    simulator = Simulator()
    drive_on = carla_drive.Drive.tick

    def interrupted(self: carla_drive.Drive) -> carla_drive.Recorded:
        if simulator.ticks == 50:
            raise KeyboardInterrupt
        return drive_on(self)

    monkeypatch.setattr(carla_drive.Drive, "tick", interrupted)
    assert record(simulator) == 130
    assert names(tmp_path / "out" / "rgb") == names(tmp_path / "out" / "label")
    assert 0 < len(names(tmp_path / "out" / "rgb")) < 4
    assert simulator.world.settings == carla_double.WorldSettings(False, None)
    assert simulator.world.actors == []


def test_the_same_command_goes_on_where_it_was_stopped(record: Record, tmp_path: Path, capsys):
    first = Simulator()
    assert record(first, "--frames", "2") == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out" / "rgb").iterdir()}
    # An orphan: its labels were written, its frame was not.
    orphan = tmp_path / "out" / "label" / "Town01-ClearNoon-000002.png"
    orphan.write_bytes(b"part")
    (tmp_path / "out" / "rgb" / f"{orphan.name}.0123abcd.part").write_bytes(b"part of it")
    second = Simulator()
    assert record(second) == 0
    assert len(names(tmp_path / "out" / "rgb")) == 4
    assert all(path.read_bytes() == content for path, content in before.items())
    assert names(tmp_path / "out" / "rgb") == names(tmp_path / "out" / "label")
    # Not the same streets again.
    assert first.traffic_manager.seeds != second.traffic_manager.seeds
    third = Simulator()
    assert record(third) == 0
    assert third.ticks == 0 and "0 pairs written" in capsys.readouterr().out


def test_a_folder_recorded_with_another_camera_is_not_mixed(record: Record, capsys):
    assert record(Simulator()) == 0
    assert record(Simulator(), "--fov", "60", "--frames", "9") == 1
    assert "was recorded in another way" in capsys.readouterr().err


def test_a_damaged_description_is_told(record: Record, tmp_path: Path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "recording.json").write_text("{")
    assert record(Simulator()) == 1
    assert "recording.json is damaged" in capsys.readouterr().err


def test_a_standing_vehicle_gives_no_pairs_and_three_such_drives_end_it(
    record: Record, tmp_path: Path, capsys
):
    simulator = Simulator(moves=0.0)
    assert record(simulator) == 1
    assert "moved less than 1 m in 60 s, 3 drives in a row" in capsys.readouterr().err
    assert len(simulator.traffic_manager.seeds) == 3
    # One picture of where each drive began.
    assert len(names(tmp_path / "out" / "rgb")) == 3


def test_pairs_are_as_far_apart_as_asked(record: Record, tmp_path: Path):
    assert record(Simulator(moves=0.1), "--min-metres", "2") == 0
    blues = [
        int(np.asarray(cv2.imread(str(path)))[0, 0, 0])
        for path in sorted((tmp_path / "out" / "rgb").iterdir())
    ]
    assert np.diff(blues).tolist() == [20, 20, 20]


def test_cameras_are_mounted_as_planned_and_answer_every_tick(record: Record):
    simulator = Simulator()
    assert record(simulator, "--fov", "70", "--pitch", "5") == 0
    cameras = [entry for entry in simulator.spawned if entry.id.startswith("sensor.camera")]
    assert [camera.id.rpartition(".")[2] for camera in cameras] == ["rgb", "semantic_segmentation"]
    for camera in cameras:
        assert camera.attributes == {"image_size_x": "32", "image_size_y": "16", "fov": "70.0"}


def test_carlas_pitch_counts_upwards(monkeypatch: pytest.MonkeyPatch, record: Record):
    places = []
    spawn = carla_double.World.spawn_actor

    def watched(self: Any, blueprint: Any, transform: Any, attach_to: Any = None) -> Any:
        if blueprint.id == "sensor.camera.rgb":
            places.append(transform)
        return spawn(self, blueprint, transform, attach_to)

    monkeypatch.setattr(carla_double.World, "spawn_actor", watched)
    assert record(Simulator(), "--pitch", "5", "--x", "1.5", "--z", "1.8") == 0
    assert places[0].rotation.pitch == -5
    assert (places[0].location.x, places[0].location.z) == (1.5, 1.8)


def test_a_simulator_that_dies_is_told_in_a_sentence(record: Record, tmp_path: Path, capsys):
    assert record(Simulator(fails_at=50)) == 1
    told = capsys.readouterr().err
    assert "carla_unet_record: time-out of 60000ms" in told
    assert "settings could not be put back" in told and "Traceback" not in told
    assert names(tmp_path / "out" / "rgb") == names(tmp_path / "out" / "label")


def test_a_second_client_that_ticks_is_told(record: Record, capsys):
    assert record(Simulator(skips=1)) == 1
    assert "another client ticks" in capsys.readouterr().err


def test_a_camera_that_sends_nothing_is_told(
    record: Record, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setattr(carla_drive, "_SECONDS_FOR_AN_IMAGE", 0.05)
    monkeypatch.setattr(carla_double.World, "_send", lambda *_: None)
    simulator = Simulator()
    assert record(simulator) == 1
    assert "a camera sent nothing for tick" in capsys.readouterr().err
    assert simulator.world.actors == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--towns", "Town77"), "no town 'Town77'; there is Town01, Town02, Town02_Opt"),
        (("--weathers", "Hail"), "no weather 'Hail'; there is ClearNoon, WetSunset"),
        (("--ego", "vehicle.none"), "--ego takes one of vehicle.bh.crossbike, vehicle.tesla"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(
    record: Record, options: tuple[str, ...], text: str, capsys
):
    assert record(Simulator(), *options) == 1
    assert text in capsys.readouterr().err


def test_known_faults_of_the_simulators_labels_are_told(record: Record, capsys):
    assert record(Simulator(version="0.9.16")) == 0
    assert "known fault of the labels of CARLA 0.9.16" in capsys.readouterr().err


def test_tags_of_another_version_are_not_written(record: Record, capsys):
    assert record(Simulator(version="0.9.13")) == 1
    assert f"sent tag {ROAD_LINE}; carla 0.9.10-0.9.13 has 0..22" in capsys.readouterr().err


def test_the_servers_version_names_the_tags():
    assert tags_of_server("0.9.15-3-gabc123", None).carla_tags == "0.9.14-0.9.16"
    assert tags_of_server("f1a2b3c", "0.9.12").carla_tags == "0.9.10-0.9.13"
    with pytest.raises(ValueError, match="calls itself 'f1a2b3c'; name its tags with --tags"):
        tags_of_server("f1a2b3c", None)


def test_without_the_simulators_module_the_way_to_get_it_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys
):
    monkeypatch.setitem(sys.modules, "carla", None)
    assert main(["--out", str(tmp_path)]) == 1
    assert "pip install carla" in capsys.readouterr().err


def test_options_out_of_range_are_refused():
    for options in (
        *(("--frames", "0"), ("--ticks-per-second", "5"), ("--jpeg", "101"), ("--port", "0")),
        *(("--fov", "180"), ("--walkers", "-1"), ("--tags", "0.1"), ("--timeout", "nan")),
    ):
        with pytest.raises(SystemExit, match="2"):
            main(["--out", "x", *options])
