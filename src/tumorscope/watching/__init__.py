"""A model in use: what it was asked, what it answered, what turned out to be true."""
