"""Opens an export `tensorflow` with TensorFlow and compares it with what went in.

usage: read_tensorflow.py FOLDER

Exit status 77: TensorFlow cannot be imported.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
try:
    import tensorflow as tf
except ImportError as error:
    print(f"cannot import tensorflow: {error}")
    sys.exit(77)
import numpy as np
from truth import Truth

folder = pathlib.Path(sys.argv[1])
arrays = json.loads((folder / "features.json").read_text())["arrays"]
truth = Truth(folder)
assert truth.audio == any(array["name"] == "audio" for array in arrays)

# From here to `parse` it is the example of spec/dataset-exports-tensors.md.
types = {"float32": tf.float32, "int64": tf.int64, "uint8": tf.int64}
spec = {"metadata": tf.io.FixedLenFeature([], tf.string)}
for array in arrays:
    spec[array["name"]] = tf.io.FixedLenSequenceFeature([], types[array["kind"]], allow_missing=True)
    spec[array["name"] + "/shape"] = tf.io.FixedLenFeature([len(array["shape"])], tf.int64)


def parse(example):
    parsed = tf.io.parse_single_example(example, spec)
    sample = {"metadata": parsed["metadata"]}
    for array in arrays:
        values = tf.reshape(parsed[array["name"]], parsed[array["name"] + "/shape"])
        sample[array["name"]] = tf.ensure_shape(tf.cast(values, array["kind"]), array["shape"])
    return sample


for split in ["train", "validation", "test"]:
    dataset = tf.data.TFRecordDataset(sorted(str(file) for file in folder.glob(f"{split}-*.tfrecord"))).map(parse)
    for sample in dataset.as_numpy_iterator():
        metadata = json.loads(sample.pop("metadata"))
        assert metadata["split"] == split
        truth.compare({name: np.asarray(values) for name, values in sample.items()}, metadata)
print(f"TensorFlow {tf.__version__}: ", end="")
truth.finish()
