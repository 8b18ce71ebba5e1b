"""One module a verb: what `lading convert`, `verify`, `compare` and the others do."""
