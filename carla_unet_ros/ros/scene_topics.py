# SPDX-License-Identifier: Apache-2.0
"""The parameters of nodes that look at one scene three times: as frame, as labels and as truth."""

from carla_unet_ros.labels import carla_label_set
from carla_unet_ros.ros.camera_topics import check_topic
from carla_unet_ros.ros.parameters import NodeParameter, ParameterTable


class SceneTopics(ParameterTable):
    labels_topic = NodeParameter(
        "/carla/ego_vehicle/rgb_front/segmentation/labels",
        "label images; the legend is expected beside them",
        check=check_topic,
        constant=True,
    )
    truth_topic = NodeParameter(
        "/carla/ego_vehicle/semantic_segmentation_front/image",
        "images of CARLA's semantic camera, of the same size, field of view and pose",
        check=check_topic,
        constant=True,
    )
    image_topic = NodeParameter(
        "/carla/ego_vehicle/rgb_front/image",
        "frames of the camera; evaluation_node reads them only where a report is asked for, but "
        "for their camera_info",
        check=check_topic,
        constant=True,
    )
    tags = NodeParameter(
        "0.9.13",
        "CARLA version whose tags the truth has, such as 0.9.13 or 0.9.16",
        check=carla_label_set,
        constant=True,
    )
