"""Known public sets: which of their slices an image is, and so whose.

A table holds one compact fingerprint a slice with its name, patient and label. One comes with the
package; users add tables of their own sets.
"""

from tumorscope.grouping.lineage.match import Match, match_slices
from tumorscope.grouping.lineage.table import Table, add_table, load_tables, make_table

__all__ = ["Match", "Table", "add_table", "load_tables", "make_table", "match_slices"]
