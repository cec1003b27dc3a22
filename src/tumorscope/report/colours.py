"""Ten colours that people with any colour vision can tell apart, for figures and pages.

Source: Waskom, seaborn (2021), palette "colorblind", after Wong (2011), Nature Methods 8, 441.
"""

PALETTE = (
    *("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc"),
    *("#ca9161", "#fbafe4", "#949494", "#ece133", "#56b4e9"),
)
