"""The folder of a run: making one, scoring it again, comparing several."""
