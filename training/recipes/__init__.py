# SPDX-License-Identifier: Apache-2.0
"""Whole trainings as one command each: stages of the commands of `training`, in order."""
