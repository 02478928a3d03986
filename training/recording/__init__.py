# SPDX-License-Identifier: Apache-2.0
"""A running CARLA: the drive through it, and its worlds as they were afterwards."""
