# SPDX-License-Identifier: Apache-2.0
"""Lists what can be wrong between CARLA and the nodes, and what to do: one table for all.

`carla_unet_check` prints a line of it where it finds the symptom, and the table of docs/carla.md
is the same. Code stands in backticks, as in Markdown; the command prints it without them.
"""

from enum import Enum


class Cause(Enum):
    """One thing that can be wrong: the symptom as it is found, and what to do."""

    symptom: str
    cure: str

    def __init__(self, symptom: str, cure: str) -> None:
        self.symptom, self.cure = symptom, cure

    ALONE = (
        "no other node is in this ROS domain",
        "Start CARLA with `--ros2`, or its bridge. Give both sides one `ROS_DOMAIN_ID`: CARLA "
        "0.9.16 and 0.10.0 always use domain 0, newer versions `--ros-domain-id`, else "
        "`ROS_DOMAIN_ID`, else 0. `ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST` hides other machines "
        "and other containers",
    )
    NOBODY = (
        "nobody publishes it",
        "Compare the name with `ros2 topic list`. A car of another name needs `role_name:=NAME`, "
        "a camera of another name `image_topics`, `image_topic` or `truth_topic`. CARLA's own "
        "ROS 2 interface publishes a sensor only after `enable_for_ros()`: "
        "`native:=true spawn:=true` does that",
    )
    OTHER_TYPE = (
        "its messages are of another type",
        "Another program uses this name: rename its topic, or the one that the nodes read",
    )
    OTHER_QOS = (
        "its QoS does not fit what the nodes ask for",
        "Set `reliability:=best_effort` for the frames. Where the truth is best effort, make its "
        "publisher reliable",
    )
    NOTHING_COMES = (
        "it is published, but nothing comes",
        "Is the simulation paused, or in synchronous mode without a client that ticks? If not, "
        "shared memory is in the way: CARLA's own ROS 2 interface, another container and another "
        "user need `FASTRTPS_DEFAULT_PROFILES_FILE=.../config/fastdds_udp.xml` in the shell of "
        "the nodes. Large best-effort frames are lost: use `reliability:=reliable`",
    )
    UNREADABLE = (
        "its images cannot be read",
        "The message says what is wrong with it. The nodes read bgra8, bgr8, rgb8, rgba8 and "
        "mono8, and with cv_bridge other encodings",
    )
    SLOW = (
        "messages come too rarely",
        "The simulator is slow, or messages are lost. Take smaller cameras, fewer sensors, or "
        "`-quality-level=Low`; for other demands, `--least-rate`",
    )
    LOST = (
        "messages are lost on the way",
        "Start **the process that sends the frames** with "
        "`FASTRTPS_DEFAULT_PROFILES_FILE=.../config/fastdds_shm.xml`, and use "
        "`reliability:=reliable`",
    )
    TWO_CLOCKS = (
        "several nodes publish it",
        "End all but one: a second bridge, stand-in or bag (`ros2 bag play --clock`) makes time "
        "jump",
    )
    CLOCK_STANDS = (
        "simulation time stands still",
        "One client has to tick: the bridge without `passive:=True`, or CARLA's example with "
        "`--sync`. If that client has ended, the world may still wait for it: start it again",
    )
    OTHER_TIME = (
        "stamps and /clock count different times",
        "Two simulators or a bag are in one domain, or the publisher does not stamp in simulation "
        "time. Otherwise set `use_sim_time:=true` for the nodes",
    )
    OTHER_SIZE = (
        "camera_info is of another size than the images",
        "Let one publisher send both. After a change of the camera, restart what relays it",
    )
    NO_FOCAL = (
        "the focal length is wrong",
        "CARLA 0.9.16's own ROS 2 interface sends a wrong one: pass the field of view of the "
        "objects file, `camera_fov:=90`. The labels do not need it, the grid does",
    )
    NOT_ALIKE = (
        "frames and truth are of different size or field of view",
        "Give both cameras one size, field of view and pose, as `config/carla_objects.json` does",
    )
    NO_PAIRS = (
        "frames and truth have no stamp in common",
        "Both cameras must send in the same tick: leave `sensor_tick` unset, and run the "
        "simulator in synchronous mode",
    )
    UNKNOWN_TAGS = (
        "it holds colours or tags of no class",
        "Set `tags` to the version of the simulator. Lossy compression and RGB/BGR mix-ups make "
        "strange colours, too",
    )
    OTHER_TAGS = (
        "its tags make no sense in this version",
        "Set `tags` to the version of the simulator: ids were renumbered with 0.9.14. For CARLA's "
        "own ROS 2 interface pass `native:=true`",
    )
    NO_TF = (
        "TF does not lead from the camera to the vehicle",
        "The bridge sends it with `sensor.pseudo.tf` in the objects file and in synchronous mode. "
        "Without it the grid takes `camera_x`, `camera_height`, ... and RViz's Camera display "
        "stays empty. For another name of the vehicle's frame, pass `vehicle_frame:=NAME`",
    )
    OTHER_AXES = (
        "the axes of the camera's frame are the other ones",
        "Set `camera_axes`: optical for CARLA's bridge, body for CARLA's own ROS 2 interface",
    )
    NODE_TELLS = (
        "a node reports a problem",
        "The message says what to do; `ros2 topic echo /diagnostics` has the figures behind it",
    )
