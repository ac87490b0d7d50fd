"""Plain h5py reads a session's index: clicks that sounded together stand together on the timeline."""

import sys

import h5py
import numpy as np

RATE = 48000

with h5py.File(sys.argv[1]) as session:
    assert session.attrs["format"] == "send-learn-session"
    streams = {stream.attrs["name"]: stream for stream in session["streams"].values()}
    assert set(streams) == {"First", "Second", "Third"}, set(streams)
    frames = session.attrs["frames"]
    clicks = {}
    for name, stream in streams.items():
        audio = stream["audio"]
        assert audio.is_virtual and audio.dtype == np.float32 and audio.shape == (frames, 2), (audio.shape, frames)
        clicks[name] = np.flatnonzero(audio[:, 0])
        # The link leads to the file itself.
        part = stream["parts/0001"]
        assert part.attrs["take_id"] == stream.attrs["take_id"]
        assert np.any(part["audio"][:, 0])
    assert len(clicks["First"]) == 100 and len(clicks["Third"]) == 100
    # To the sample, within a host.
    assert np.array_equal(clicks["Third"], clicks["First"] + RATE)
    # Within 1 ms of the place, and what is uncertain, between machines.
    within = 0.001 * RATE + streams["Second"].attrs["uncertainty_seconds"] * RATE
    assert 98 <= len(clicks["Second"]) <= 101, len(clicks["Second"])
    away = (clicks["Second"] + RATE / 2) % RATE - RATE / 2
    assert np.abs(away).max() < min(within, 0.012 * RATE), np.abs(away).max()
    # The drift of 10 ms over the take does not add to it.
    assert np.ptp(away) < 0.0025 * RATE, np.ptp(away)
