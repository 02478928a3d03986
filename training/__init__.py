# SPDX-License-Identifier: Apache-2.0
"""Data sets, training, evaluation, export. Training needs torch; the vehicle side never does."""
