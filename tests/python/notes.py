"""Checks that a recording holds every note of a MIDI file at the very sample where the host played it, and no other.

usage: notes.py RECORDING.h5 PLAYED.mid

For hosts built on JUCE: they cut off the fraction of a sample that others round, and pass on other events than notes only to the
block.
"""

import sys
from collections import defaultdict
from math import floor

import h5py

import compare

# They reckon in floating point. Of a note that falls on a sample, or this near to it, either side of it is right.
NEAR = 1e-6


def by_key(events):
    """The times of each key's begins with their strength, and of its ends, in their order."""
    times = defaultdict(list)
    for time, data in events:
        if data[0] & 0xE0 == 0x80:
            begins = data[0] & 0x10 and data[2]
            times[data[0] & 0x0F, data[1], data[2] if begins else "end"].append(time)
    return {key: sorted(each) for key, each in times.items()}


def main():
    path, midi = sys.argv[1:]
    with h5py.File(path, "r") as recording:
        rate = round(float(recording.attrs["sample_rate"]))
        found = by_key(compare.recorded_events(recording))
    wanted = by_key((second * rate, message.bytes()) for second, message in compare.timed(midi) if not message.is_meta)
    same = wanted.keys() == found.keys() and all(len(wanted[key]) == len(found[key]) for key in wanted)
    pairs = [pair for key in wanted for pair in zip(wanted[key], found.get(key, []))]
    wrong = [(float(time), sample) for time, sample in pairs if sample not in (floor(time - NEAR), floor(time + NEAR))]
    print(f"  {sum(map(len, found.values()))} begins and ends recorded, {sum(map(len, wanted.values()))} played")
    print(f"  {len(wrong)} of them not at their samples{f', the first {min(wrong)}' if wrong else ''}")
    return 0 if same and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
