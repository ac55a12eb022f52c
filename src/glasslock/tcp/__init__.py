"""Step 1, reach: dial a host, and what the kernel knows of the connection."""
