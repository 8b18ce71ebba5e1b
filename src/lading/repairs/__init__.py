"""The shelf of repairs: one file each, holding one object ``REPAIR``; see `lading.repair`."""
