"""What every node shares: parameters, life cycle, main, diagnostics, topics, messages, clocks."""
