# SPDX-License-Identifier: Apache-2.0
"""What one training is made of: devices, optimisation, validation, checkpoints, its report."""
