# SPDX-License-Identifier: Apache-2.0
"""The parts of one training run: devices, learner, validation, report."""
