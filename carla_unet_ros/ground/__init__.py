# SPDX-License-Identifier: Apache-2.0
"""The drivable ground around the vehicle, computed from labels."""
