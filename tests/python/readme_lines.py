"""Runs the README's lines in a folder with a dataset, and writes what they give as numpy files for another Python to compare.

usage: cd DATASET; readme_lines.py FOLDER

Exit status 77: torch cannot be imported.
"""

import json
import pathlib
import sys

try:
    import torch
except ImportError as error:
    print(f"cannot import torch: {error}")
    sys.exit(77)
import numpy as np

# As the README has them.
dataset = torch.load('pytorch_dataset.pt')
notes = [s['midi_notes'] for s in dataset]
mfcc = [s['mfcc'] for s in dataset]

folder = pathlib.Path(sys.argv[1])
for number, sample in enumerate(dataset):
    arrays = {"notes": notes[number], "mfcc": mfcc[number], "audio": sample["audio"]}
    np.savez(folder / f"{number}.npz", **{name: tensor.numpy() for name, tensor in arrays.items()})
    (folder / f"{number}.json").write_text(json.dumps(sample["metadata"]))
print(f"torch {torch.__version__} loads {len(dataset)} sequences")
