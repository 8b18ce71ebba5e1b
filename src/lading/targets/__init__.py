"""The shelf of targets; see `lading.target`."""
