"""The reader: a page and an interface for programs, over a model and its log."""
