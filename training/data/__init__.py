# SPDX-License-Identifier: Apache-2.0
"""Frames with labels: folders, bags, splits, augmentation, batches."""
