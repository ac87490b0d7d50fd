"""Compares what torch loaded of a dataset with what was played, by mido, soundfile and librosa.

usage: compare_dataset.py LOADED PLAYED.wav PLAYED.mid STATED

LOADED is the folder that readme_lines.py filled. STATED is a JSON object of what every sequence must say of itself. Ends with
status 0 if the windows are those of 30 s every 25 s, their samples are the played ones bit for bit, their notes are those of
the file, each at its sample, and their MFCC are librosa's.
"""

import json
import pathlib
import sys

import numpy as np
import soundfile
from compare import Findings, score

LENGTH, STEP = 30, 25


def played_notes(midi, rate):
    """(begin, end, pitch, velocity, channel) of every note, in samples. A key that is struck again ends the note before."""
    notes, sounding = [], {}
    for sample, data in score(midi, rate, True)[0]:
        key = (data[0] & 0x0F, data[1] if len(data) > 1 else 0)
        struck = data[0] & 0xF0 == 0x90
        if struck or data[0] & 0xF0 == 0x80:
            if key in sounding:
                begin, velocity = sounding.pop(key)
                notes.append((begin, sample, key[1], velocity, key[0]))
            if struck:
                sounding[key] = (sample, data[2])
    return sorted(notes)


def compare_notes(findings, name, notes, played, begin, rate):
    """Those that begin in the window, with their durations where they also end in it."""
    end = begin + LENGTH * rate

    def row(onset, duration, *rest):
        return (onset, duration if onset + duration < end - begin else -1, *rest)

    wanted = sorted(row(note[0] - begin, note[1] - note[0], *note[2:]) for note in played if begin <= note[0] < end)
    found = [row(round(n[0] * rate), round(n[1] * rate), int(n[2]), int(n[3]), int(n[4])) for n in notes.astype(np.float64)]
    held = sum(1 for note in played if note[0] < begin < note[1])
    # What sounds already when the window begins stands at 0.
    surplus = list(found)
    missing = [note for note in wanted if not (note in surplus and surplus.remove(note) is None)]
    good = not missing and len(surplus) == held and all(note[0] == 0 for note in surplus)
    findings.check(good, f"{name}: {len(wanted)} notes begin in it, {held} sound on" + (f"; missing {missing[:5]}" if missing else ""))


def compare_mfcc(findings, name, mfcc, sound, rate):
    try:
        import librosa
    except ImportError as error:
        print(f"  skipped  {name}: MFCC are not compared: {error}")
        return
    wanted = librosa.feature.mfcc(y=sound.mean(axis=1), sr=rate, n_mfcc=13).T
    if wanted.shape != mfcc.shape:
        findings.bad(f"{name}: MFCC of shape {mfcc.shape}, librosa's {wanted.shape}")
        return
    error = np.abs(wanted - mfcc).max() / np.abs(wanted).max()
    findings.check(error < 1e-4, f"{name}: MFCC of {len(mfcc)} frames, at most {error:.1e} from librosa's")


def main():
    folder, wav, midi, stated = sys.argv[1:]
    findings = Findings()
    sound, rate = soundfile.read(wav, dtype="float32", always_2d=True)
    played = played_notes(midi, rate)
    begins = []
    for file in sorted(pathlib.Path(folder).glob("*.npz"), key=lambda file: int(file.stem)):
        arrays, about = np.load(file), json.loads(file.with_suffix(".json").read_text())
        begin = int(about["first_sample"])
        begins.append(begin)
        name = f"{begin // rate} s"
        window = sound[begin : begin + LENGTH * rate]
        equal = np.array_equal(arrays["audio"].T.view(np.uint32), np.ascontiguousarray(window).view(np.uint32))
        findings.check(equal, f"{name}: audio of {len(window):,} frames, bit for bit")
        compare_notes(findings, name, arrays["notes"], played, begin, rate)
        compare_mfcc(findings, name, arrays["mfcc"], window, rate)
        for key, text in json.loads(stated).items():
            findings.check(about[key] == text, f"{name}: {key} is {about[key]!r}")
    wanted = list(range(0, len(sound) - LENGTH * rate + 1, STEP * rate))
    findings.check(begins == wanted and len(wanted) >= 2, f"{len(begins)} sequences begin at {[begin / rate for begin in begins]} s")
    return 1 if findings.differs else 0


if __name__ == "__main__":
    sys.exit(main())
