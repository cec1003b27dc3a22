"""Figures, and pages that are one self-contained HTML file each."""
