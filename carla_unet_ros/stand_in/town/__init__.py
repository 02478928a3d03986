# SPDX-License-Identifier: Apache-2.0
"""The town that the drive draws: what stands in it, how it is lit, how it is painted.

Lengths are in metres. A place has the coordinates `s`, along the street from the start of the
drive, and `d`, across it (positive to the right of the centre line). Camera coordinates are x to
the right, y up from the ground, z forward.
"""
