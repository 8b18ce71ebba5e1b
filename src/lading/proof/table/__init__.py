"""An artifact beside the original over every row of a table of labelled samples."""
