"""Frames with labels: folders, bags, splits, augmentation, batches."""
