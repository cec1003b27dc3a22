"""Scores, intervals, calibration and conformal sets as pure functions of arrays."""
