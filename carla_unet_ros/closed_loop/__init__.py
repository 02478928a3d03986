# SPDX-License-Identifier: Apache-2.0
"""A planner that drives the car of the drawn street: what it sees follows from what it does."""
