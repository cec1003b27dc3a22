"""Bundles to predictions; no PyTorch needed."""
