"""Checks that a recording holds every note of a MIDI file at its sample.

usage: notes.py RECORDING.h5 PLAYED.mid

For hosts that pass on notes exactly, but other events only to the block.
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
    missing = [note for note in wanted if note not in found]
    print(f"  {len(found)} notes recorded, {len(wanted)} played, {len(missing)} missing: {missing[:5]}; recorded {found[:5]}")
    return 0 if wanted == found else 1


if __name__ == "__main__":
    sys.exit(main())
