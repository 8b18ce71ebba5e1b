"""The demonstrations, one file each; see `lading.demo`."""
