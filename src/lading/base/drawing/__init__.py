"""Pictures: `chart` draws numbers as SVG, `gallery` lays rasters beside one another as PNG."""
