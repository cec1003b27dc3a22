"""Files to slices: readers, layouts, the resize, the store of decoded pixels."""
