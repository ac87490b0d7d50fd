"""Compares a recording with what was played through the plugin while a switch was on for a stretch of it.

usage: compare_stretch.py RECORDING.h5 PLAYED.wav PLAYED.mid KIND FROM TO

FROM and TO are samples. KIND is capture-off or withheld: the stretch is a gap of that reason, and nothing of it is there; or
private: it is there, between marks. Everything else is there bit for bit, at its sample. Ends with status 0 if all holds.
"""

import sys

import h5py
import numpy as np
import soundfile
from compare import Findings, recorded_events, score

#: Of each kind: the gap's reason, the marks of its begin and of its end.
KINDS = {"capture-off": (7, 8, 9), "withheld": (8, 6, 7), "private": (None, 6, 7)}

#: Seconds after which a mark of what is private stands again, at the latest.
AGAIN = 0.5


def main():
    path, wav, midi, kind, begin, end = sys.argv[1:]
    begin, end = int(begin), int(end)
    reason, on, off = KINDS[kind]
    findings = Findings()
    played, rate = soundfile.read(wav, dtype="float32", always_2d=True)
    events, _ = score(midi, rate, True)
    if reason:
        played[begin:end] = 0.0
        events = [event for event in events if not begin <= event[0] < end]
    with h5py.File(path, "r") as recording:
        audio = recording["audio"][:]
        same = audio.shape == played.shape and np.array_equal(audio.view(np.uint32), played.view(np.uint32))
        findings.check(same, f"audio: {len(audio):,} frames bit for bit" + (", zeros in the stretch" if reason else ""))
        findings.check(sorted(recorded_events(recording)) == sorted(events), f"MIDI: {len(events)} events, each at its sample")
        gaps = [tuple(int(value) for value in row) for row in recording["gaps"][:]]
        findings.check(gaps == ([(begin, end - begin, reason)] if reason else []), f"gaps: {gaps}")
        marks = [(int(row["sample"]), int(row["kind"])) for row in recording["markers"][:]]
        ons = [sample for sample, mark in marks if mark == on]
        good = marks == [(sample, on) for sample in ons] + [(end, off)] and ons[:1] == [begin]
        if kind == "private":
            good = good and max(np.diff([*ons, end])) <= AGAIN * rate and len(ons) > 1
        else:
            good = good and len(ons) == 1
        findings.check(good, f"marks: on at {ons}, off at {end}")
        blocks = recording["blocks"][:]
        covered = int(blocks["frames"].sum()) + sum(gap[1] for gap in gaps)
        findings.check(covered == len(played), f"blocks and gaps cover {covered:,} frames")
    return 1 if findings.differs else 0


if __name__ == "__main__":
    sys.exit(main())
