"""What the pinned converters cannot say, or say unsafely, in other words; one file each."""
