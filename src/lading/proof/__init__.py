"""Whether a file gives what the original gives: sides, measurements, gates, one verdict."""
