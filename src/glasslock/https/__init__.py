"""HTTP by well-kept libraries, on top of glasslock connections."""
