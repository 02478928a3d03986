# SPDX-License-Identifier: Apache-2.0
"""Shared by all nodes: parameters, life cycle, main, diagnostics, topics, messages, clocks."""
