"""Hostile input, drawn at random or chosen by a fuzzer."""
