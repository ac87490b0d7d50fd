"""Opens an export `hdf5` with h5py and compares it with what went in.

usage: read_hdf5.py FOLDER

Exit status 77: h5py cannot be imported. Where torch is at hand, the Dataset class that spec/ shows is run too.
"""

import json
import pathlib
import re
import sys

try:
    import h5py
    import numpy as np
except ImportError as error:
    print(f"cannot import h5py: {error}")
    sys.exit(77)
from truth import Truth, same


def compare_index(row, about):
    """Asserts that every column of the index says what is known about the sequence."""
    for name in row.dtype.names:
        ours, expected = row[name], about[name]
        if isinstance(ours, bytes):
            assert ours.decode() == (expected or ""), f"{name}: {ours} is not {expected}"
        elif expected is None:
            assert np.isnan(ours), f"{name}: {ours} is known"
        else:
            assert ours == expected, f"{name}: {ours} is not {expected}"


def compare_file(file, truth):
    assert file.attrs["format"] == "send-learn-dataset" and file.attrs["schema_version"] == 1
    same(json.loads(file.attrs["settings"]), truth.settings, "settings")
    names = set(file) - {"index", "metadata", "rows"}
    assert set(file["rows"]) == names
    for item, row in enumerate(file["index"]):
        metadata = json.loads(file["metadata"][item])
        compare_index(row, truth.sequences[metadata["id"]]["about"])
        arrays = {name: file[name][slice(*file["rows"][name][item])] for name in names}
        if "audio" in arrays:
            frames = row["frames"] if row["channels"] else 0
            arrays["audio"] = arrays["audio"].reshape(row["channels"], frames)
        truth.compare(arrays, metadata)
    for name in names:
        dataset, ranges = file[name], file["rows"][name]
        assert dataset.attrs["about"] and len(dataset.attrs["axes"])
        assert (dataset.compression, dataset.shuffle) == ("gzip", True), f"{name} is stored otherwise"
        assert ranges[0][0] == 0 and ranges[-1][1] == len(dataset), f"{name} has rows of no sequence"
        assert list(dataset.attrs.get("columns", [])) == metadata["columns"].get(name, [])


def compare_torch(path, truth):
    """Runs the very class that the specification shows."""
    try:
        import torch
    except ImportError:
        return "no torch"
    texts = [text.read_text() for text in (pathlib.Path(__file__).parents[2] / "spec").glob("*.md")]
    blocks = [block for text in texts for block in re.findall(r"```python\n(.*?)```", text, re.S)]
    (source,) = [block for block in blocks if "class Hdf5Sequences" in block]
    shown = {}
    exec(source, shown)
    for split in ["train", "validation", "test"]:
        sequences = [sequence for sequence in truth.sequences.values() if sequence["about"]["split"] == split]
        dataset = shown["Hdf5Sequences"](path, split)
        items = list(torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=1))
        assert len(items) == len(dataset) == len(sequences) > 0
        for item, sequence in zip(items, sequences):
            expected = truth.arrays(sequence)
            for name, tensor in item.items():
                assert np.array_equal(tensor.numpy(), expected[name]), f"{name} of {sequence['about']['id']} differs"
    return f"torch {torch.__version__}"


folder = pathlib.Path(sys.argv[1])
truth = Truth(folder)
with h5py.File(folder / "dataset.h5") as file:
    compare_file(file, truth)
torch = compare_torch(folder / "dataset.h5", truth)
print(f"h5py {h5py.__version__}, {torch}: ", end="")
truth.finish()
