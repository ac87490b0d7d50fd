"""Opens an export `tensorflow` with PyPI's tfrecord, without TensorFlow, and compares it with what went in.

usage: read_tfrecord.py FOLDER

It lies in a folder of its own beside the readers, with the older protobuf that it needs. Its part for torch is not used here, so
torch need not be there.

Exit status 77: tfrecord cannot be imported.
"""

import json
import pathlib
import sys
import types

sys.path.insert(0, str(pathlib.Path(sys.prefix) / "tfrecord"))
torch, torch.utils, data = (types.ModuleType(name) for name in ("torch", "torch.utils", "torch.utils.data"))
data.IterableDataset = object
torch.utils.data = data
sys.modules |= {module.__name__: module for module in (torch, torch.utils, data)}

try:
    import tfrecord
except ImportError as error:
    print(f"cannot import tfrecord: {error}")
    sys.exit(77)
import numpy as np
from truth import Truth

folder = pathlib.Path(sys.argv[1])
truth = Truth(folder)
arrays = json.loads((folder / "features.json").read_text())["arrays"]
for file in sorted(folder.glob("*.tfrecord")):
    for example in tfrecord.tfrecord_loader(str(file), None):
        # The reader gives None for a list without values.
        sample = {}
        for array in arrays:
            name = array["name"]
            assert name + "/shape" in example, name
            values = np.array([] if example[name] is None else example[name], array["kind"])
            sample[name] = values.reshape(np.asarray(example[name + "/shape"]).ravel())
        truth.compare(sample, json.loads(bytes(example["metadata"])))
print("tfrecord: ", end="")
truth.finish()
