# SPDX-License-Identifier: Apache-2.0
"""Recording from a running CARLA: the drive, and the settings of its worlds."""
