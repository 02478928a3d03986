# SPDX-License-Identifier: Apache-2.0
"""Camera segmentation for CARLA and ROS 2: the vehicle side, which imports no torch."""

__version__ = "0.1.0"
