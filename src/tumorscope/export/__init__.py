"""A trained classifier to a bundle, in the precision and for the runtime that is asked for."""

from tumorscope.export.parity import ExportError
from tumorscope.export.write import export_bundle

__all__ = ["ExportError", "export_bundle"]
