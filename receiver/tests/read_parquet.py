"""Opens an export `parquet` with pyarrow and compares it with what went in.

usage: read_parquet.py FOLDER

Exit status 77: pyarrow cannot be imported.
"""

import json
import pathlib
import sys

try:
    import numpy as np
    import pyarrow
    import pyarrow.parquet
except ImportError as error:
    print(f"cannot import pyarrow: {error}")
    sys.exit(77)
from truth import Truth, same

# Columns that have another name than in metadata.
RENAMED = {"notes": "note_count", "started_unix_nanos": "started"}


def compare_moments(row, truth, sequence):
    """Asserts that mean and standard deviation of every feature but the mel spectrum are those of NumPy."""
    arrays = truth.arrays(sequence)
    told = set(sequence["features"]) - {"frames", "mel"}
    assert {name.removesuffix("_mean") for name in row if name.endswith("_mean")} == told
    for name in told:
        values = arrays[name].astype(np.float64)
        for suffix, moment in {"mean": np.mean, "std": np.std}.items():
            ours = row[f"{name}_{suffix}"]
            if len(values) == 0:
                assert ours is None, f"{name}_{suffix} of a sequence without frames is {ours}"
            else:
                np.testing.assert_allclose(ours, moment(values, axis=0), rtol=1e-9, atol=1e-9, err_msg=name)


folder = pathlib.Path(sys.argv[1])
truth = Truth(folder)
file = pyarrow.parquet.ParquetFile(folder / "index.parquet")
table = file.read()
assert table.schema.field("started").type == pyarrow.timestamp("ns", "UTC")
assert table.schema.field("tempo").nullable and not table.schema.field("id").nullable
assert all(field.metadata[b"about"] for field in table.schema)
same(json.loads(file.metadata.metadata[b"send_learn.settings"]), truth.settings, "settings")
# Python's own times are too coarse.
place = table.schema.get_field_index("started")
rows = table.set_column(place, "started", table["started"].cast(pyarrow.int64())).to_pylist()
assert [row["id"] for row in rows] == list(truth.sequences)
for row, sequence in zip(rows, truth.sequences.values()):
    about = sequence["about"]
    same({name: row[RENAMED.get(name, name)] for name in about}, about, "metadata")
    same(row["notes"], sequence["music"]["notes"], "notes")
    compare_moments(row, truth, sequence)
groups = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
assert max(groups) <= 1024 and sum(groups) == len(rows)
print(f"pyarrow {pyarrow.__version__}: {len(rows)} rows in {len(groups)} row groups are as they went in")
