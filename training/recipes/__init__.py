# SPDX-License-Identifier: Apache-2.0
"""Whole trainings as one command each: the commands of `training`, run as stages."""
