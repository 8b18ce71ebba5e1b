"""The shelf of runtimes; see `lading.runtime`."""
