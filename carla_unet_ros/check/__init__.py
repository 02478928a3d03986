# SPDX-License-Identifier: Apache-2.0
"""Looks at a running ROS graph and says what is there and what is not: `carla_unet_check`."""
