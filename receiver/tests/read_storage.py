"""h5py gives the float32 that went in, whatever the file's type; and 16-bit sources take little more room than as int16."""

import subprocess
import sys

import h5py
import numpy as np

path, raw, bits = sys.argv[1:]
expected = np.fromfile(raw, "<f4").reshape(-1, 2)
with h5py.File(path) as file:
    audio = file["audio"]
    assert audio.dtype == np.float32, audio.dtype
    assert np.array_equal(audio[:].view(np.uint32), expected.view(np.uint32)), "the samples differ"
    size = audio.id.get_storage_size()
print(subprocess.run(["h5dump", "-d", "/audio", "-s", "20000,0", "-c", "3,2", path], check=True, capture_output=True, text=True).stdout)
if bits == "16":
    with h5py.File(path + ".int16", "w", libver="earliest") as file:
        steps = np.clip(expected * 32768, -32768, 32767).astype("<i2")
        same = file.create_dataset("audio", data=steps, chunks=(16384, 2), shuffle=True, compression="gzip", compression_opts=1)
        assert size <= 1.1 * same.id.get_storage_size(), (size, same.id.get_storage_size())
