# SPDX-License-Identifier: Apache-2.0
"""What is said to a simulator: which car with which cameras, and who ticks. Knows no ROS."""
