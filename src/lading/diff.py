"""What changed between two voyages, read out of their bills."""
