# SPDX-License-Identifier: Apache-2.0
"""Objects files of the bridge and of CARLA's own example."""

import json
from pathlib import Path

import pytest

from carla_unet_ros.errors import InputError
from carla_unet_ros.simulator.objects_file import check_vehicle, read_vehicle, rename_vehicle

CONFIG = Path(__file__).parents[2] / "config"
BRIDGE, NATIVE = CONFIG / "carla_objects.json", CONFIG / "carla_native.json"


def test_a_vehicle_is_read_with_its_sensors_from_either_layout():
    for path in (BRIDGE, NATIVE):
        vehicle = read_vehicle(path)
        assert (vehicle.type, vehicle.id) == ("vehicle.tesla.model3", "ego_vehicle")
        camera = next(sensor for sensor in vehicle.sensors if sensor.id == "rgb_front")
        assert camera.type == "sensor.camera.rgb"
        assert camera.place == {"x": 2, "y": 0, "z": 2, "roll": 0, "pitch": 0, "yaw": 0}
        size = {"image_size_x": "800", "image_size_y": "600", "fov": "90.0"}
        assert camera.attributes == size


def test_a_vehicle_of_another_name_has_the_same_sensors(tmp_path: Path):
    renamed = tmp_path / "truck.json"
    renamed.write_text(rename_vehicle(BRIDGE, "truck"))
    check_vehicle(renamed, "truck")
    assert read_vehicle(renamed, "truck").sensors == read_vehicle(BRIDGE).sensors


def test_other_objects_of_the_file_are_left_as_they_are(tmp_path: Path):
    path = tmp_path / "objects.json"
    clock = {"type": "sensor.pseudo.actor_list", "id": "actor_list"}
    path.write_text(json.dumps({"objects": [clock, {"type": "vehicle.a", "id": "ego_vehicle"}]}))
    content = json.loads(rename_vehicle(path, "hero"))
    assert content["objects"] == [clock, {"type": "vehicle.a", "id": "hero"}]


@pytest.mark.parametrize(
    ("text", "name", "sentence"),
    [
        (None, "", "cannot be read: No such file or directory"),
        ("[" * 100_000, "", "cannot be read: JSON nested too deep"),
        ("{", "", "cannot be read: no JSON (Expecting property name"),
        ("[1]", "", "holds no vehicle; expected one of a type such as vehicle.tesla.model3"),
        ('{"type": "vehicle.a", "id": "a"}', "b", "has no vehicle 'b'; it has 'a': role_name"),
        ('{"type": "vehicle.a"}', "", "vehicle None cannot be read (KeyError('id'))"),
        (
            '{"type": "vehicle.a", "id": "a", "sensors": [{"type": "b"}]}',
            "",
            "expected type and id, and sensors with type, id and spawn_point",
        ),
    ],
)
def test_what_is_no_objects_file_is_refused(
    tmp_path: Path, text: str | None, name: str, sentence: str
):
    path = tmp_path / "objects.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError) as error:
        read_vehicle(path, name)
    assert sentence in str(error.value) and str(path) in str(error.value)


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/dev/zero", "It is no regular file"), ("~nobody_here/a.json", "cannot be found")],
)
def test_what_cannot_be_a_file_is_not_waited_for(path: str, reason: str):
    with pytest.raises(InputError, match=f"objects file {path} cannot be read: .*{reason}"):
        read_vehicle(Path(path))
