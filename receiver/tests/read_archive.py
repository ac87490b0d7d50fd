"""libsndfile decodes an archive's audio: FLAC to the very samples, Opus to what sounds like them."""

import hashlib
import sys
from pathlib import Path

import h5py
import numpy as np
import soundfile

archive, raw, original = map(Path, sys.argv[1:])
expected = np.fromfile(raw, "<f4").reshape(-1, 2)
with h5py.File(archive) as kept, h5py.File(original) as before:
    attributes = dict(kept.attrs)
    for table in ["midi", "blocks", "gaps", "transport", "clock", "markers", "automation", "features"]:
        assert np.array_equal(kept[table][:], before[table][:]), table
    assert attributes["take_id"] == before.attrs["take_id"]
    assert attributes["frames"] == len(expected) and attributes["closed"] == 1
    assert attributes["audio_sha256"] == hashlib.sha256(expected.tobytes()).hexdigest()
    if attributes["archive_profile"] == "exact":
        assert np.array_equal(kept["audio"][:].view(np.uint32), expected.view(np.uint32))
        sys.exit()
    assert "audio" not in kept
audio = archive.with_name(attributes["audio_file"])
assert attributes["audio_file_sha256"] == hashlib.sha256(audio.read_bytes()).hexdigest()
decoded, rate = soundfile.read(audio, dtype="float32", always_2d=True)
if attributes["archive_profile"].startswith("flac"):
    assert rate == attributes["sample_rate"]
    assert np.array_equal(decoded, expected), "the samples differ"
else:
    assert rate == 48000
    seconds = len(expected) / attributes["sample_rate"]
    assert abs(len(decoded) / rate - seconds) < 1e-4, (len(decoded) / rate, seconds)
    # On the original's samples, to compare them one by one.
    at = np.arange(len(expected)) * rate / attributes["sample_rate"]
    for channel in range(2):
        back = np.interp(at, np.arange(len(decoded)), decoded[:, channel])
        likeness = np.corrcoef(back, expected[:, channel])[0, 1]
        assert likeness > 0.99, likeness
    hour = audio.stat().st_size / 1e6 / (seconds / 3600)
    assert 50 < hour < 115, hour
