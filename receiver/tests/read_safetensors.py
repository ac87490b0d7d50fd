"""Opens an export `safetensors` with its library and compares it with what went in.

usage: read_safetensors.py FOLDER

Exit status 77: safetensors cannot be imported.
"""

import json
import pathlib
import struct
import sys

try:
    import safetensors
except ImportError as error:
    print(f"cannot import safetensors: {error}")
    sys.exit(77)
from truth import Truth

folder = pathlib.Path(sys.argv[1])
truth = Truth(folder)
for split in ["train", "validation", "test"]:
    for file in sorted(folder.glob(f"{split}-*.safetensors")):
        with safetensors.safe_open(file, framework="np") as opened:
            names = list(opened.keys())
            for id, metadata in (opened.metadata() or {}).items():
                own = [name for name in names if name.startswith(f"{id}/")]
                metadata = json.loads(metadata)
                assert metadata["split"] == split and metadata["id"] == id
                truth.compare({name.removeprefix(f"{id}/"): opened.get_tensor(name) for name in own}, metadata)

        # Readers that map the file need each tensor at a multiple of its type's size.
        with file.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            header = json.loads(opened.read(length))
        for name, tensor in header.items():
            if name != "__metadata__":
                size = {"I64": 8, "F32": 4, "U8": 1}[tensor["dtype"]]
                assert (8 + length + tensor["data_offsets"][0]) % size == 0, f"{name} is not aligned"
print(f"safetensors {safetensors.__version__}: ", end="")
truth.finish()
