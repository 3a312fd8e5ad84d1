"""What every door shares: problem errors, event streams, limits, headers."""
