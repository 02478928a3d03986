# SPDX-License-Identifier: Apache-2.0
"""Whole trainings as one command each, made of the commands of `training`."""
