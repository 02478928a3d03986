# SPDX-License-Identifier: Apache-2.0
"""Points with labels, computed from labels and a depth camera."""
