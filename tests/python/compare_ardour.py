"""Compares what Ardour recorded of a track with the plugin, and of what came out of it, with the plugin's recording: bit for bit, at the
playhead.

usage: compare_ardour.py RECORDING.h5 BEFORE.wav AFTER.wav

Status 0 when all is equal; else says what differs.
"""

import sys

import h5py
import numpy as np
import soundfile

ROLLING = 1


def main():
    recording, before, after = sys.argv[1:]
    before, rate = soundfile.read(before, dtype="float32")
    after, _ = soundfile.read(after, dtype="float32")
    if len(before) < rate or not np.abs(before).max() > 0:
        sys.exit(f"Ardour recorded {len(before)} frames, at most {np.abs(before).max()} loud: nothing to compare")
    if not np.array_equal(before.view(np.uint32), after.view(np.uint32)):
        sys.exit(f"the plugin's output differs from its input in {np.count_nonzero(before != after)} of {len(before)} frames")
    with h5py.File(recording) as take:
        audio, transport, gaps = take["audio"][:, 0], take["transport"][:], len(take["gaps"])
        host, tempo = take.attrs["host"], transport["tempo"][0]
    if gaps:
        sys.exit(f"{gaps} gaps")
    rolling = transport[(transport["flags"] & ROLLING) != 0]
    if not len(rolling):
        sys.exit("the transport never rolled")
    start = int(rolling["sample"][0]) - int(rolling["playhead"][0])
    recorded = audio[start : start + len(before)]
    if not np.array_equal(recorded.view(np.uint32), before.view(np.uint32)):
        sys.exit(f"the recording differs from Ardour's own from sample {start} on")
    print(f"{len(before)} frames equal, from sample {start} on, where the playhead is 0; host {host}, tempo {tempo}")


if __name__ == "__main__":
    main()
