"""Opens an export `webdataset` with the library of that name and compares it with what went in.

usage: read_webdataset.py FOLDER

Exit status 77: webdataset cannot be imported.
"""

import pathlib
import sys
import tarfile

try:
    import webdataset
except ImportError as error:
    print(f"cannot import webdataset: {error}")
    sys.exit(77)
from truth import Truth

folder = pathlib.Path(sys.argv[1])
truth = Truth(folder)
for split in ["train", "validation", "test"]:
    shard = str(folder / f"{split}-000000.tar")
    for sample in webdataset.WebDataset([shard], shardshuffle=False).decode():
        metadata = sample["json"]
        assert metadata["split"] == split and metadata["id"] == sample["__key__"]
        truth.compare({key.removesuffix(".npy"): sample[key] for key in sample if key.endswith(".npy")}, metadata)
    # Nothing of the time or of the machine is in the headers.
    for member in tarfile.open(shard):
        facts = (member.mtime, member.mode, member.uid, member.gid, member.uname, member.gname, member.type)
        assert facts == (0, 0o644, 0, 0, "", "", tarfile.REGTYPE), f"{member.name}: {facts}"
print(f"webdataset {webdataset.__version__}: ", end="")
truth.finish()
