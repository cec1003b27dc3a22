"""Writes a trained classifier as a bundle, in a given precision and for a given runtime."""

from tumorscope.export.parity import ExportError
from tumorscope.export.write import export_bundle

__all__ = ["ExportError", "export_bundle"]
