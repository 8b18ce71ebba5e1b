"""The comparison of a converted file with the untouched original, and what it is worth."""
