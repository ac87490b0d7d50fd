"""Reads an export `midi+audio` with mido and soundfile, and compares it with what it was made of.

Usage: midi_audio_reference.py FOLDER. FOLDER/expected has the events and samples of each sequence. Exit status 77: a library
is missing.
"""

import csv
import json
import sys
from collections import defaultdict
from pathlib import Path

try:
    import mido
    import numpy as np
    import soundfile
except ImportError as error:
    print(f"this Python has no {error.name}")
    sys.exit(77)


def tempo_map(conductor):
    """Ticks and microseconds per quarter note of each tempo."""
    tick, tempos = 0, []
    for message in conductor:
        tick += message.time
        if message.type == "set_tempo":
            tempos.append((tick, message.tempo))
    return tempos


class Clock:
    """Ticks to samples, as mido counts seconds."""

    def __init__(self, file, rate):
        self.division, self.rate, self.tempos = file.ticks_per_beat, rate, tempo_map(file.tracks[0])
        assert self.tempos[0][0] == 0

    def sample(self, tick):
        seconds = 0.0
        for (begin, tempo), (end, _) in zip(self.tempos, [*self.tempos[1:], (tick, None)]):
            if begin >= tick:
                break
            seconds += mido.tick2second(min(end, tick) - begin, self.division, tempo)
        return seconds * self.rate

    def tick_samples(self, tick):
        tempo = [tempo for begin, tempo in self.tempos if begin <= tick][-1]
        return mido.tick2second(1, self.division, tempo) * self.rate


class Walk:
    """The same, for ticks that only rise."""

    def __init__(self, clock):
        self.clock, self.index, self.seconds = clock, 0, 0.0

    def sample(self, tick):
        tempos = self.clock.tempos
        while self.index + 1 < len(tempos) and tempos[self.index + 1][0] <= tick:
            ticks = tempos[self.index + 1][0] - tempos[self.index][0]
            self.seconds += mido.tick2second(ticks, self.clock.division, tempos[self.index][1])
            self.index += 1
        begin, tempo = tempos[self.index]
        return (self.seconds + mido.tick2second(tick - begin, self.clock.division, tempo)) * self.clock.rate


def played(track, clock):
    """Sample and bytes of the messages that were played; how many needed a text to say where; notes left open; what holds from before."""
    walk, tick, events, texts, before = Walk(clock), 0, [], 0, []
    stated, added, sounding = None, False, defaultdict(int)
    for message in track:
        tick += message.time
        if message.type == "text" and message.text == "added":
            added = True
            continue
        if message.type == "text" and message.text.startswith("sample "):
            stated = int(message.text.split()[1])
            texts += 1
            continue
        if message.type == "text" and message.text.startswith("message"):
            data = [int(digits, 16) for digits in message.text.split()[1:]]
        elif message.is_meta:
            continue
        else:
            data = message.bytes()
            if message.type == "note_on" and message.velocity > 0:
                sounding[message.note] += 1
            elif message.type in ("note_on", "note_off"):
                sounding[message.note] = max(0, sounding[message.note] - 1)
        if not added:
            at = walk.sample(tick)
            if stated is not None:
                assert abs(at - stated) <= max(0.5, clock.tick_samples(tick)) * 3, "a tick is far from its sample"
            events.append((round(at) if stated is None else stated, data))
        elif tick == 0:
            before.append(data)
        stated, added = None, False
    return events, texts, sum(sounding.values()), before


def key_of(data):
    status = data[0]
    lengths = {0x8: 3, 0x9: 3, 0xA: 3, 0xB: 3, 0xC: 2, 0xD: 2, 0xE: 3}
    return status & 0xF if status < 0xF0 and len(data) == lengths[status >> 4] else 16


def compare_midi(path, expected):
    about = expected["about"]
    file = mido.MidiFile(path)
    assert file.type == 1
    clock = Clock(file, about["sample_rate"])
    tracks = defaultdict(list)
    for sample, source, data in expected["events"]:
        tracks[source, key_of(data)].append((sample, data))
    found, texts, before = [], 0, []
    for track in file.tracks[1:]:
        events, needed, still_sounding, held = played(track, clock)
        assert still_sounding == 0, f"{path}: a note is left open in {track.name}"
        texts += needed
        before += held
        if events:
            found.append(events)
    wanted = [tracks[key] for key in sorted(tracks)]
    assert len(found) == len(wanted), f"{path}: {len(found)} tracks, not {len(wanted)}"
    for ours, theirs in zip(wanted, found):
        for mine, read in zip(ours, theirs):
            assert tuple(mine) == read, f"{path}: {read} is read, {mine} was played"
        assert len(ours) == len(theirs), f"{path}: {len(theirs)} events, not {len(ours)}"
    assert sorted(before) == sorted(expected["held"]), f"{path}: {before} holds from before, not {expected['held']}"
    compare_conductor(path, file, clock, expected)
    return sum(map(len, wanted)), texts


def compare_conductor(path, file, clock, expected):
    tick, meters, bars = 0, [], []
    conductor = file.tracks[0]
    assert conductor.name.encode("latin1").decode() == expected["about"]["name"]
    for message in conductor:
        tick += message.time
        near = clock.tick_samples(tick) / 2 + 1
        if message.type == "time_signature":
            meters.append((clock.sample(tick), near, message.numerator, message.denominator))
        if message.type == "marker":
            bars.append((clock.sample(tick), near, int(message.text.removeprefix("bar "))))
        if message.type == "key_signature":
            assert message.key == {"C major": "C"}[expected["about"]["key"]]
    assert abs(clock.sample(tick) - expected["about"]["frames"]) <= clock.tick_samples(tick) / 2 + 1, "another length"
    assert [meter[2:] for meter in meters] == [(m["numerator"], m["denominator"]) for m in expected["meters"]]
    for (at, near, *_), meter in zip(meters, expected["meters"]):
        assert abs(at - meter["sample"]) <= near, f"{path}: a meter at {at}, not {meter['sample']}"
    assert [bar[2] for bar in bars] == [bar for _, bar in expected["bars"]]
    for (at, near, _), (sample, _) in zip(bars, expected["bars"]):
        assert abs(at - sample) <= near, f"{path}: a bar at {at}, not {sample}"
    wanted = []
    for tempo in expected["tempos"]:
        micros = int(60e6 / tempo["tempo"] + 0.5)
        if not wanted or wanted[-1][1] != micros:
            wanted.append((tempo["sample"], micros))
    wanted = [w for w, after in zip(wanted, [*wanted[1:], (None, None)]) if w[0] != after[0]]
    assert [micros for _, micros in clock.tempos] == [micros for _, micros in wanted], f"{path}: other tempi"
    walk = Walk(clock)
    for (tick, micros), (sample, _) in zip(clock.tempos, wanted):
        assert abs(walk.sample(tick) - sample) <= 3, f"{path}: a tempo at another sample"


def compare_audio(folder, entry, samples):
    about_channels = entry["channels"]
    if entry["audio_filename"] is None:
        assert samples.size == 0 and about_channels == 0
        return 0
    path = folder / entry["audio_filename"]
    info = soundfile.info(path)
    assert info.format == "FLAC" and info.subtype == f"PCM_{entry['audio_bits']}"
    assert info.samplerate == entry["sample_rate"] and info.channels == about_channels
    wide, _ = soundfile.read(path, dtype="int32", always_2d=True)
    wanted = samples.astype(np.float64).reshape(-1, about_channels)
    in_steps = wanted * 2.0**23
    steps = np.clip(np.rint(in_steps), -(2**23), 2**23 - 1)
    assert np.array_equal(wide >> 8, steps), f"{path}: other samples"
    outside = (in_steps < -(2**23)) | (in_steps >= 2**23)
    assert entry["audio_clipped"] == outside.sum()
    assert entry["audio_rounded"] == ((steps != in_steps) & ~outside).sum()
    assert np.isclose(entry["audio_largest_error"], np.abs(steps - in_steps).max() / 2**23, rtol=1e-12)
    sixteen = bool(np.all(steps % 256 == 0) and np.array_equal(steps, in_steps))
    assert entry["audio_bits"] == (16 if sixteen else 24), f"{path}: {entry['audio_bits']} bits"
    return wide.size


def main(root):
    totals = defaultdict(int)
    for split in root.iterdir():
        if split.name == "expected":
            continue
        entries = [json.loads(line) for line in (split / "metadata.jsonl").open(encoding="utf-8")]
        rows = list(csv.DictReader((split / "maestro.csv").open(encoding="utf-8", newline="")))
        assert len(rows) == len(entries)
        for entry, row in zip(entries, rows):
            assert next(iter(entry)) == "file_name" and (split / entry["file_name"]).is_file()
            expected = json.loads((root / "expected" / f"{entry['id']}.json").read_text(encoding="utf-8"))
            about = expected["about"]
            assert {key: entry[key] for key in about} == about and about["split"] == split.name
            assert list(row)[:7] == [
                "canonical_composer", "canonical_title", "split", "year", "midi_filename", "audio_filename", "duration",
            ]
            assert row["canonical_composer"] == about["contributor"] and row["canonical_title"] == about["name"]
            assert row["split"] == split.name and row["year"] == "2026" and row["id"] == about["id"]
            assert row["midi_filename"] == entry["midi_filename"]
            assert row["audio_filename"] == (entry["audio_filename"] or "")
            assert float(row["duration"]) == about["frames"] / about["sample_rate"]
            events, texts = compare_midi(split / entry["midi_filename"], expected)
            samples = np.fromfile(root / "expected" / f"{entry['id']}.f32", "<f4")
            totals["samples"] += compare_audio(split, entry, samples)
            totals["events"] += events
            totals["texts"] += texts
            totals["sequences"] += 1
    assert totals["sequences"] == len(list((root / "expected").glob("*.json")))
    print(
        f"{totals['sequences']} sequences: {totals['events']} events at their samples, {totals['texts']} of them by text; "
        f"{totals['samples']} samples equal"
    )


main(Path(sys.argv[1]))
