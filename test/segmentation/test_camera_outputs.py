"""What is published of a camera, over DDS, by a node of the test's own."""

import numpy as np
from ros_bench import RosBench
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from carla_unet_ros.labels import carla_13
from carla_unet_ros.labels.legend import Legend
from carla_unet_ros.ros.camera_topics import CameraTopics
from carla_unet_ros.segmentation.camera_outputs import CameraOutputs
from carla_unet_ros.segmenter import Segmentation


def test_calibration_goes_out_under_the_frames_header_and_the_received_message_stays(
    bench: RosBench,
) -> None:
    legend = Legend(carla_13(), carla_13(), "tiny", "OpenVINO")
    topics = CameraTopics("/front/image")
    outputs = CameraOutputs(bench.node, topics, legend, lambda: 0.5, lambda: None)
    relayed = bench.collect(CameraInfo, topics.output("camera_info"))
    labels = bench.collect(Image, topics.output("labels"))
    received = CameraInfo(header=Header(frame_id="of the message"), width=4, height=3)
    frame = np.zeros((3, 4, 4), np.uint8)
    found = Segmentation(np.full((3, 4), 7, np.uint8), np.full((3, 4), 255, np.uint8))

    def sent_and_seen() -> bool:
        outputs.publish(Header(frame_id="of the frame"), frame, found, received)
        return bool(relayed and labels)

    bench.until(sent_and_seen)
    assert relayed[0].header.frame_id == labels[0].header.frame_id == "of the frame"
    assert (relayed[0].width, relayed[0].height) == (4, 3)
    assert received.header.frame_id == "of the message"
    assert bytes(labels[0].data) == bytes([7] * 12)
    outputs.close()


def test_nothing_is_wanted_until_somebody_subscribes_to_an_image(bench: RosBench) -> None:
    legend = Legend(carla_13(), carla_13(), "tiny", "OpenVINO")
    asked: list[bool] = []
    topics = CameraTopics("/front/image")
    outputs = CameraOutputs(
        bench.node, topics, legend, lambda: 0.5, lambda: asked.append(outputs.wanted)
    )
    assert not outputs.wanted
    bench.collect(CameraInfo, topics.output("camera_info"))
    bench.collect(Image, topics.output("overlay"))
    bench.until(lambda: asked)
    assert asked == [True]
    outputs.close()
