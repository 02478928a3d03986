# SPDX-License-Identifier: Apache-2.0
"""config/nav2_costmap.yaml: every name and type is one that Nav2 and the layer declare.

The lists below are those of the sources: nav2_costmap_2d 1.3.13 (Jazzy; costmap_2d_ros.cpp,
inflation_layer.cpp, static_layer.cpp) and semantic_segmentation_layer 1.0.0 (branch jazzy,
274c713; semantic_segmentation_layer.cpp). A parameter of another name is ignored in silence, one
of another type ends the costmap.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from carla_unet_ros.labels import carla_13
from carla_unet_ros.ros.camera_topics import CameraTopics

ROOT = Path(__file__).parents[2]
COSTMAP = {
    "always_send_full_costmap": bool,
    "filters": list,
    "footprint": str,
    "footprint_padding": float,
    "global_frame": str,
    "height": int,
    "initial_transform_timeout": float,
    "lethal_cost_threshold": int,
    "map_topic": str,
    "map_vis_z": float,
    "observation_sources": str,
    "origin_x": float,
    "origin_y": float,
    "plugins": list,
    "publish_frequency": float,
    "resolution": float,
    "robot_base_frame": str,
    "robot_radius": float,
    "rolling_window": bool,
    "track_unknown_space": bool,
    "transform_tolerance": float,
    "trinary_costmap": bool,
    "unknown_cost_value": int,
    "update_frequency": float,
    "use_maximum": bool,
    "use_sim_time": bool,
    "width": int,
}
PLUGINS = {
    "nav2_costmap_2d::InflationLayer": {
        "plugin": str,
        "enabled": bool,
        "inflation_radius": float,
        "cost_scaling_factor": float,
        "inflate_unknown": bool,
        "inflate_around_unknown": bool,
    },
    "nav2_costmap_2d::StaticLayer": {
        "plugin": str,
        "enabled": bool,
        "subscribe_to_updates": bool,
        "map_subscribe_transient_local": bool,
        "transform_tolerance": float,
        "map_topic": str,
        "footprint_clearing_enabled": bool,
    },
    "semantic_segmentation_layer::SemanticSegmentationLayer": {
        "plugin": str,
        "enabled": bool,
        "combination_method": int,
        "observation_sources": str,
        "publish_debug_topics": bool,
        "use_approximate_time_sync": bool,
    },
}
SOURCE = {
    "segmentation_topic": str,
    "confidence_topic": str,
    "labels_topic": str,
    "pointcloud_topic": str,
    "observation_persistence": float,
    "expected_update_rate": float,
    "class_types": list,
    "max_obstacle_distance": float,
    "min_obstacle_distance": float,
    "tile_map_decay_time": float,
    "visualize_tile_map": bool,
    "use_cost_selection": bool,
}
CLASS_TYPE = {
    "classes": list,
    "base_cost": int,
    "max_cost": int,
    "mark_confidence": int,
    "samples_to_max_cost": int,
    "dominant_priority": bool,
}
CAMERA = CameraTopics("/carla/ego_vehicle/rgb_front/image")


def parameters(node: str) -> dict[str, Any]:
    """What a node of this name gets from the file."""
    sections = yaml.safe_load((ROOT / "config" / "nav2_costmap.yaml").read_text())
    return sections["/**"]["ros__parameters"] | sections[node]["ros__parameters"]


def wrong(found: dict[str, Any], known: dict[str, type]) -> list[str]:
    """Names that are not known, or have another type."""
    return [name for name, value in found.items() if type(value) is not known.get(name)]


def taken_out(found: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in names}


@pytest.mark.parametrize("node", ["cloud_costmap", "grid_costmap"])
def test_every_parameter_has_a_name_and_a_type_that_nav2_declares(node: str) -> None:
    found = parameters(node)
    assert not wrong(taken_out(found, found["plugins"]), COSTMAP)
    for plugin in found["plugins"]:
        layer = found[plugin]
        sources = layer.get("observation_sources", "").split()
        assert not wrong(taken_out(layer, sources), PLUGINS[layer["plugin"]])
        for source in sources:
            kinds = layer[source]["class_types"]
            assert not wrong(taken_out(layer[source], kinds), SOURCE)
            assert kinds and all(not wrong(layer[source][kind], CLASS_TYPE) for kind in kinds)


@pytest.mark.parametrize("node", ["cloud_costmap", "grid_costmap"])
def test_the_costmap_rolls_with_the_car(node: str) -> None:
    found = parameters(node)
    assert found["rolling_window"] and found["robot_base_frame"] == "ego_vehicle"
    assert (found["width"], found["height"]) == (60, 60)


def test_the_layer_reads_our_topics_and_every_class_has_one_cost() -> None:
    camera = parameters("cloud_costmap")["semantic_segmentation_layer"]["rgb_front"]
    topics = {
        "segmentation": "labels",
        "confidence": "confidence",
        "labels": "label_info",
        "pointcloud": "semantic_cloud",
    }
    for parameter, output in topics.items():
        assert camera[f"{parameter}_topic"] == CAMERA.output(output)
    named = [name for kind in camera["class_types"] for name in camera[kind]["classes"]]
    assert sorted(named) == sorted(carla_13().names)


def test_the_static_layer_takes_our_grid_as_it_is_offered() -> None:
    layer = parameters("grid_costmap")["static_layer"]
    assert layer["map_topic"] == CAMERA.output("ground_grid")
    assert layer["map_subscribe_transient_local"] is False
