"""Where a model looked: maps of the places that an answer rests on, and whether to believe them."""
