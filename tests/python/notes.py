"""Checks that a recording holds every note of a MIDI file where the host played it.

usage: notes.py RECORDING.h5 PLAYED.mid

For hosts built on JUCE: they cut off the fraction of a sample that others round, so a note may come one sample early, and
they pass on other events than notes only to the block.
"""

import sys

import h5py

import compare


def main():
    path, midi = sys.argv[1:]
    with h5py.File(path, "r") as recording:
        rate = round(float(recording.attrs["sample_rate"]))
        played, _ = compare.score(midi, rate, True)
        recorded = compare.recorded_events(recording)

    def notes(events):
        return sorted((sample, data[0], data[1]) for sample, data in events if data[0] & 0xE0 == 0x80)

    wanted, found = notes(played), notes(recorded)
    late = [note[0] - other[0] for note, other in zip(wanted, found)]
    same = [note[1:] for note in wanted] == [note[1:] for note in found]
    print(f"  {len(found)} notes recorded, {len(wanted)} played; early by {sorted(set(late))} samples")
    return 0 if same and set(late) <= {0, 1} else 1


if __name__ == "__main__":
    sys.exit(main())
