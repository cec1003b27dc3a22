"""Build the lineage table that comes with the package: build_lineage.py slices.csv.

The source is the set of Cheng et al., figshare 1512427, CC BY 4.0: 3,064 slices of 233 patients.
"""

import sys
from pathlib import Path

from tumorscope.data.layouts import read_manifest
from tumorscope.data.store import MIDDLE, open_store
from tumorscope.grouping.lineage.table import dump_table, make_table

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "tumorscope"
TARGET = PACKAGE / "grouping" / "lineage" / "cheng.npz"

if __name__ == "__main__":
    store = open_store(read_manifest(sys.argv[1]), MIDDLE)
    TARGET.write_bytes(dump_table(make_table("cheng", store)))
    print(f"{TARGET.name}: {len(store)} slices, {TARGET.stat().st_size:,} bytes")
