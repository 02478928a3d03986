# SPDX-License-Identifier: Apache-2.0
"""The package as colcon and pip see it.

On a ROS 2 machine `colcon build` installs it beside the distribution's own rclpy and messages;
without ROS, `pip install '.[ros]'` brings real ROS 2 Jazzy as wheels, and that is a whole vehicle.
"""

from pathlib import Path

from setuptools import find_packages, setup

NAME = "carla_unet_ros"
NODES = (
    "segmentation.segmentation_node",
    "stand_in.camera_node",
    "evaluation.evaluation_node",
    "ground.ground_grid_node",
    "cloud.semantic_cloud_node",
    "view.view_node",
)
TRAINING_TOOLS = ("train", "evaluate", "export", "quantize", "from_bag", "label", "record")

# cv2 comes as opencv-python-headless, not opencv-python: the two install the same module over
# each other, and only the headless one imports on a server or in a container without X.
# 5.x breaks cv_bridge.
REQUIRED = [
    "numpy>=1.26",
    "opencv-python-headless>=4.8,<5",
    "onnx>=1.16",
    "openvino>=2025.0",
    "pyyaml",
    "tqdm",
    "tyro>=1.0",
]

# Each GPU library with the CUDA calls the engine makes; neither needs a GPU to be installed.
TENSORRT_RTX = [
    "tensorrt-rtx-cu13-libs>=1.4",
    "tensorrt-rtx-cu13-bindings>=1.4",
    "cuda-bindings>=13",
]
ROSBAGS = "rosbags>=0.11"
# CARLA's client has no wheels for later Pythons.
CARLA = "carla==0.9.16; python_version<'3.13'"

EXTRAS = {
    # What apt installs on a ROS 2 machine. Not in REQUIRED, so that pip never puts a second
    # rclpy beside the distribution's. cv-bridge names no dependencies and fails with numpy 2.3.
    "ros": [
        "ros-jazzy-rclpy[fastrtps]",
        *(
            f"ros-jazzy-{messages}-msgs"
            for messages in ("sensor", "std", "diagnostic", "nav", "geometry", "rosgraph")
        ),
        "ros-jazzy-std-srvs",
        "cv-bridge==1.13.0.post0",
        "numpy<2.3",
    ],
    "tensorrt": ["tensorrt>=10", "cuda-bindings>=12"],
    "tensorrt-rtx": TENSORRT_RTX,
    # One torch release, so that a training run repeats to the last digit on another machine.
    "training": [
        "torch==2.13.0",
        "kornia>=0.8",
        "lightning-fabric>=2.4",
        "matplotlib",
        "nncf>=3.0",
        "onnxruntime>=1.20",
        "onnxscript",
        "tensorboard",
        ROSBAGS,
    ],
    # Frames from a running simulator.
    "record": [CARLA],
    # The page in a browser; the vehicle does without it.
    "view": ["rerun-sdk>=0.41; python_version>='3.11'"],
    # Also what `colcon test` looks at before it runs anything.
    "test": [
        *("pytest", "pytest-xdist", "hypothesis", "colcon-common-extensions"),
        *(ROSBAGS, CARLA, *TENSORRT_RTX),
    ],
    # Other releases find other things. pyright is a Node.js program; [nodejs] brings Node.js too.
    "lint": ["ruff==0.17.6", "import-linter==2.17", "pyright[nodejs]==1.1.414"],
}


def files_of(folder: str) -> list[str]:
    """The files right in a folder, for data_files."""
    return sorted(str(path) for path in Path(folder).glob("*") if path.is_file())


setup(
    name=NAME,
    version="0.1.0",
    description="U-Net segmentation of CARLA's camera frames for ROS 2",
    license="Apache-2.0",
    url="https://github.com/carla-unet-ros/carla_unet_ros",
    author="carla_unet_ros maintainers",
    maintainer="carla_unet_ros maintainers",
    maintainer_email="carla_unet_ros@example.com",
    # carla_unet_ros/training is a link to training/, which is no package of that name by itself.
    packages=find_packages(include=[f"{NAME}*"]),
    package_data={NAME: ["models/*", "training/recipes/*.in", "training/recipes/*.yaml"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", files_of("launch")),
        (f"share/{NAME}/config", files_of("config")),
    ],
    python_requires=">=3.10",
    install_requires=REQUIRED,
    extras_require=EXTRAS,
    zip_safe=False,
    entry_points={
        "console_scripts": [
            *(f"{module.rpartition('.')[2]} = {NAME}.{module}:main" for module in NODES),
            # The short name is for `ros2 run carla_unet_ros check`.
            *(f"{name} = {NAME}.check.check:main" for name in ("carla_unet_check", "check")),
            f"carla_unet_spawn = {NAME}.simulator.spawn:main",
            f"carla_unet_demo = {NAME}.demo.demo:main",
            f"carla_unet_view = {NAME}.view.view_node:main",
            f"carla_unet_build_engine = {NAME}.engines.build_engine:main",
            *(f"carla_unet_{tool} = {NAME}.training.commands:{tool}" for tool in TRAINING_TOOLS),
        ]
    },
)
