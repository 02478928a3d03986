# SPDX-License-Identifier: Apache-2.0
"""Stands in for CARLA: a camera node, the drive that it shows, and the drawn town."""
