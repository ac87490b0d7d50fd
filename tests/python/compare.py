"""Compares a recording with what was played, by means that share no code with Send Learn: h5py, numpy, mido, soundfile.

usage: compare.py RECORDING.h5 [--wav PLAYED.wav] [--midi PLAYED.mid] [--log HOST.json]

The audio must be equal bit for bit, every MIDI event must stand at its exact sample, tempo and meter must change where the
file changes them, and no sample may be missing. With --log, a plugin in a host was recorded, and the log names its
automation; without, files were sent. Ends with status 0 if all holds, else with 1 and the first differences.
"""

import argparse
import json
import sys
import zlib
from fractions import Fraction

import h5py
import mido
import numpy as np
import soundfile

SHOWN = 5


class Findings:
    """What was found, in words; and whether anything differs."""

    def __init__(self):
        self.differs = False

    def good(self, text):
        print(f"  equal    {text}")

    def bad(self, text):
        self.differs = True
        print(f"  DIFFERS  {text}")

    def check(self, holds, text):
        (self.good if holds else self.bad)(text)


def compare_audio(findings, recording, wav):
    """The samples as bits, so that NaNs, zeros with a sign and subnormal numbers count too."""
    played, rate = soundfile.read(wav, dtype="float32", always_2d=True)
    recorded = recording["audio"][:]
    findings.check(float(recording.attrs["sample_rate"]) == rate, f"sample rate: {rate} Hz")
    if recorded.dtype != np.float32 or recorded.shape[1:] != played.shape[1:] or len(recorded) < len(played):
        findings.bad(f"audio: recorded {recorded.dtype} {recorded.shape}, played float32 {played.shape}")
        return
    tail = recorded[len(played):].view(np.uint32)
    if tail.any():
        findings.bad(f"audio: sound after the end of what was played, {len(tail)} frames")
    equal = recorded[: len(played)].view(np.uint32) == played.view(np.uint32)
    if equal.all():
        findings.good(f"audio: {len(played):,} frames x {played.shape[1]} channels, bit for bit")
    else:
        frames = np.flatnonzero(~equal.all(axis=1))
        findings.bad(f"audio: {len(frames):,} frames of {len(played):,}, the first at {frames[:SHOWN].tolist()}")


def timed(path):
    """(second, message) of all that a MIDI file says; ticks to time in exact fractions."""
    file = mido.MidiFile(path)
    second, tempo = Fraction(0), 500_000
    for message in mido.merge_tracks(file.tracks):
        second += Fraction(message.time * tempo, file.ticks_per_beat * 1_000_000)
        if message.type == "set_tempo":
            tempo = message.tempo
        yield second, message


def score(path, rate, in_host):
    """Every event of a MIDI file at its nearest sample, and the changes of tempo and meter."""
    events, changes = [], []
    tempo, meter = 500_000, (4, 4)
    for second, message in timed(path):
        sample = int(second * rate + Fraction(1, 2))
        if message.type == "set_tempo":
            tempo = message.tempo
            changes.append((sample, tempo, meter))
        elif message.type == "time_signature":
            meter = (message.numerator, message.denominator)
            changes.append((sample, tempo, meter))
        elif not message.is_meta:
            data = tuple(message.bytes())
            if in_host and data[0] & 0xF0 == 0x90 and data[2] == 0:
                data = (data[0] & 0x0F | 0x80, data[1], 0)  # Hosts make a note's end of a note-on without velocity.
            events.append((sample, data))
    return events, changes


def recorded_events(recording):
    """(sample, bytes) of all MIDI; parts of long system exclusive messages are joined."""
    sysex = recording["sysex"][:] if "sysex" in recording else np.zeros(0, np.uint8)
    lengths = {0x80: 3, 0x90: 3, 0xA0: 3, 0xB0: 3, 0xC0: 2, 0xD0: 2, 0xE0: 3}
    system = {0xF1: 2, 0xF2: 3, 0xF3: 2}
    events = []
    for row in recording["midi"][:]:
        if row["kind"] == 0:
            status = int(row["status"])
            length = lengths.get(status & 0xF0) or system.get(status, 1)
            events.append((int(row["sample"]), (status, int(row["data1"]), int(row["data2"]))[:length]))
        elif row["kind"] in (1, 2):
            begin, length = int(row["sysex_offset"]), int(row["sysex_length"])
            part = tuple(int(byte) for byte in sysex[begin : begin + length])
            if row["kind"] == 1:
                events.append((int(row["sample"]), part))
            else:
                sample, before = events.pop()
                events.append((sample, before + part))
    return events


def compare_midi(findings, recording, played):
    """All events; at one sample, tracks have no order among themselves."""
    wanted, found = sorted(played), sorted(recorded_events(recording))
    if wanted == found:
        findings.good(f"MIDI: {len(found):,} events, each at its exact sample")
        return
    findings.bad(f"MIDI: {len(found):,} events recorded, {len(wanted):,} played")
    missing, surplus = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    for title, events in (("not recorded", missing), ("not played", surplus)):
        for sample, data in events[:SHOWN]:
            print(f"           {title}: {bytes(data).hex(' ')} at {sample:,}")


def compare_order(findings, recording, played):
    """Events of one channel keep their order, also where several stand at one sample."""
    def by_channel(events):
        channels = {}
        for sample, data in events:
            key = data[0] & 0x0F if data[0] < 0xF0 else "system"
            channels.setdefault(key, []).append((sample, data))
        return channels

    recorded = recorded_events(recording)
    findings.check(by_channel(recorded) == by_channel(played), "MIDI: the order of each channel's events")


def compare_transport(findings, recording, changes):
    """From every change on, tempo and meter are the file's."""
    rows = recording["transport"][:]
    if len(rows) == 0:
        findings.bad("transport: no rows")
        return
    final = {}
    for sample, tempo, meter in changes:
        final[sample] = (60e6 / tempo, meter)
    wrong = []
    for sample, (tempo, meter) in sorted(final.items()):
        if sample >= int(recording.attrs["frames"]):
            continue
        at = np.searchsorted(rows["sample"], sample, side="right") - 1
        row = rows[max(at, 0)]
        same = abs(row["tempo"] - tempo) < 1e-6 * tempo and (row["numerator"], row["denominator"]) == meter
        if int(row["sample"]) != sample or not same:
            wrong.append((sample, tempo, meter, int(row["sample"]), float(row["tempo"])))
    if wrong:
        findings.bad(f"transport: {len(wrong)} of {len(final)} changes of tempo and meter, the first {wrong[0]}")
    else:
        findings.good(f"transport: {len(final)} changes of tempo and meter, each at its exact sample")


def compare_automation(findings, recording, points):
    """Each value that the host set, at its sample, under the parameter's name."""
    names = {int(row["parameter"]): row["name"].decode() for row in recording["parameters"][:]}
    rows = recording["automation"][:]
    found = {(int(row["sample"]), names.get(int(row["parameter"])), float(row["plain"])) for row in rows}
    missing = sorted({tuple(point) for point in points} - found)
    if missing:
        print(f"           recorded: {sorted(found, key=str)[:SHOWN]}")
        findings.bad(f"automation: {len(missing)} of {len(points)} values not recorded, the first {missing[:SHOWN]}")
    else:
        findings.good(f"automation: {len(points)} values, each at its exact sample")


def check_whole(findings, recording):
    """Nothing is missing, the blocks cover every sample, and their checksums hold."""
    gaps = recording["gaps"][:]
    findings.check(len(gaps) == 0, f"gaps: {len(gaps)}" + (f", the first {gaps[0]}" if len(gaps) else ""))
    frames = int(recording.attrs["frames"])
    # A stream of MIDI alone has no audio; its blocks have the checksum of nothing.
    audio = recording["audio"][:] if "audio" in recording else np.zeros((frames, 0), np.float32)
    findings.check(int(recording.attrs["closed"]) == 1, "closed: all is in the file")
    findings.check(int(recording.attrs["frames"]) == len(audio), f"frames: {len(audio):,}")
    blocks = recording["blocks"][:]
    position = 0
    for block in blocks:
        begin, frames = int(block["sample"]), int(block["frames"])
        if begin != position:
            findings.bad(f"blocks: one begins at {begin}, the one before ends at {position}")
            return
        position += frames
        if zlib.crc32(audio[begin:position].tobytes()) != int(block["crc"]):
            findings.bad(f"blocks: wrong checksum at {begin}")
            return
    findings.check(position == len(audio), f"blocks: {len(blocks):,}, without a break, each with the right checksum")
    tables = {name: table for name, table in recording.items() if name != "audio"}
    changed = [name for name, table in tables.items() if zlib.crc32(table[:].tobytes()) != table.attrs["crc32"]]
    findings.check(not changed, f"tables: {len(tables)}, each with the right checksum" + "".join(f", not {name}" for name in changed))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("recording")
    parser.add_argument("--wav")
    parser.add_argument("--midi")
    parser.add_argument("--log")
    arguments = parser.parse_args()
    findings = Findings()
    log = json.load(open(arguments.log)) if arguments.log else None
    with h5py.File(arguments.recording, "r") as recording:
        check_whole(findings, recording)
        if arguments.wav:
            compare_audio(findings, recording, arguments.wav)
        if arguments.midi:
            rate = round(float(recording.attrs["sample_rate"]))
            played, changes = score(arguments.midi, rate, log is not None)
            compare_midi(findings, recording, played)
            compare_order(findings, recording, played)
            compare_transport(findings, recording, changes)
        if log is not None:
            compare_automation(findings, recording, log["automation"])
    return 1 if findings.differs else 0


if __name__ == "__main__":
    sys.exit(main())
