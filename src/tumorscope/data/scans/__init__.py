"""What comes from a scanner: series of slices, and whose they are."""
