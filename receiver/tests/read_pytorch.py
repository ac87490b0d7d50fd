"""Opens an export `pytorch` with torch and compares it with what went in.

usage: read_pytorch.py FOLDER

With default settings; with `weights_only=True` and `mmap=True` where this torch can: before 2.0 the former refuses Python's
floats, before 2.1 the latter is not there. Exit status 77: torch cannot be imported.
"""

import pathlib
import sys

try:
    import torch
except ImportError as error:
    print(f"cannot import torch: {error}")
    sys.exit(77)
from truth import Truth

folder = pathlib.Path(sys.argv[1])
version = tuple(int(part) for part in torch.__version__.split(".")[:2])
ways = [{}]
if version >= (2, 0):
    ways.append({"weights_only": True})
if version >= (2, 1):
    ways.append({"weights_only": True, "mmap": True})
for options in ways:
    truth = Truth(folder)
    for file in sorted(folder.glob("*.pt")):
        dataset = torch.load(str(file), **options)
        assert type(dataset) is list
        for sample in dataset:
            metadata = sample.pop("metadata")
            for name, tensor in sample.items():
                assert tensor.is_contiguous() and not tensor.requires_grad, name
                aligned = not options.get("mmap") or tensor.numel() == 0 or tensor.data_ptr() % 64 == 0
                assert aligned, f"{name} begins at {tensor.data_ptr()}"
            truth.compare({name: tensor.numpy() for name, tensor in sample.items()}, metadata)
    print(f"torch {torch.__version__}, {options}: ", end="")
    truth.finish()
