"""What mido makes of MIDI files: the reference for send_learn::music.

usage: music_reference.py RATE TUNE...

Prints one JSON object a tune, in their order:
  notes     [onset, duration, sustained, pitch, velocity, release velocity, channel], in samples, sorted
  controls  [sample, kind, channel, number, value], in order of the file
  tempos    [sample, quarter notes per minute]
  beats     the sample of each quarter note up to the last event
  key       "C major" and the correlation, by numpy

Positions come from mido's ticks and an own tempo map, notes from an own search through them. Exit status 77: mido or numpy
cannot be imported.
"""

import json
import sys
from bisect import bisect_right
from fractions import Fraction

try:
    import mido
    import numpy as np
except ImportError as error:
    print(f"cannot import mido and numpy: {error}")
    sys.exit(77)

# Albrecht and Shanahan 2013.
PROFILES = {
    "major": [0.238, 0.006, 0.111, 0.006, 0.137, 0.094, 0.016, 0.214, 0.009, 0.080, 0.008, 0.081],
    "minor": [0.220, 0.006, 0.104, 0.123, 0.019, 0.103, 0.012, 0.214, 0.062, 0.022, 0.061, 0.052],
}
NAMES = {
    "major": "C Db D Eb E F F# G Ab A Bb B".split(),
    "minor": "C C# D Eb E F F# G G# A Bb B".split(),
}


def read(path, rate):
    """All messages with the sample of each, the samples of ticks, and the tempo changes."""
    file = mido.MidiFile(path)
    ticked = []
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            ticked.append((tick, message))
    ticked.sort(key=lambda pair: pair[0])
    changes = [(0, 500_000, Fraction(0))]
    for tick, message in ticked:
        if message.type == "set_tempo":
            begin, tempo, seconds = changes[-1]
            seconds += Fraction((tick - begin) * tempo, file.ticks_per_beat * 1_000_000)
            changes.append((tick, message.tempo, seconds))

    def sample(tick):
        begin, tempo, seconds = changes[bisect_right(changes, tick, key=lambda change: change[0]) - 1]
        seconds += Fraction((tick - begin) * tempo, file.ticks_per_beat * 1_000_000)
        # To the nearest sample, halves up.
        return int((seconds * rate + Fraction(1, 2)) // 1)

    return [(sample(tick), message) for tick, message in ticked], sample, changes, file.ticks_per_beat, ticked[-1][0]


def notes(messages, end):
    """Each note by a search for what ends it."""
    found = []
    by_channel = {channel: [] for channel in range(16)}
    for order, (sample, message) in enumerate(messages):
        if not message.is_meta and hasattr(message, "channel"):
            by_channel[message.channel].append((order, sample, message))
    for channel, own in by_channel.items():
        by_key = {key: [(o, s, m) for o, s, m in own if m.type.startswith("note") and m.note == key] for key in range(128)}
        pedal_ups = [(order, sample) for order, sample, m in own if m.is_cc(64) and m.value < 64 or m.is_cc(120) or m.is_cc(121)]
        pedal_moves = [(order, m.value >= 64) for order, _, m in own if m.is_cc(64)]
        for order, sample, message in own:
            if message.type != "note_on" or message.velocity == 0:
                continue
            later = [(o, s, m) for o, s, m in by_key[message.note] if o > order]
            strikes = [(o, s) for o, s, m in later if m.type == "note_on" and m.velocity > 0]
            lifts = [(o, s, m) for o, s, m in later if not (m.type == "note_on" and m.velocity > 0)]
            again = strikes[0] if strikes else None
            before = [m for o, _, m in by_key[message.note] if o < order]
            cut = bool(before) and before[-1].type == "note_on" and before[-1].velocity > 0
            if cut and lifts and lifts[0][1] == sample and (again is None or lifts[0][0] < again[0]):
                # This lift is of the note that this one cut off.
                lifts = lifts[1:]
            # A lift on the sample of the next strike may come after it.
            lift = next((l for l in lifts if again is None or l[0] < again[0] or l[1] == again[1]), None)
            if again is not None and lift is not None and lift[0] > again[0]:
                lift = (again[0], again[1], lift[2])
            release = 64
            if lift is not None:
                release = lift[2].velocity if lift[2].type == "note_off" else 64
            until = lift[1] if lift else again[1] if again else end
            last = until
            down = [state for o, state in pedal_moves if lift and o < lift[0]]
            if down and down[-1]:
                ups = [s for o, s in pedal_ups if o > lift[0]] + ([again[1]] if again else [])
                last = min(ups, default=end)
            found.append([sample, until - sample, last - sample, message.note, message.velocity, release, channel])
    return sorted(found)


# What "reset all controllers" sets (MIDI Recommended Practice 015).
RESET = {("controller", number): 0 for number in (1, 64, 65, 66, 67)}
RESET |= {("controller", number): 1 for number in (11, 98, 99, 100, 101)}
RESET |= {("pitch-bend", 0): 0, ("channel-pressure", 0): 0} | {("key-pressure", key): 0 for key in range(128)}
KINDS = ["controller", "pitch-bend", "channel-pressure", "key-pressure", "program"]


def controls(messages):
    found = []
    held = [{} for _ in range(16)]
    for sample, m in messages:
        if m.type == "control_change" and m.control == 121:
            for kind, number in sorted(held[m.channel], key=lambda lane: (KINDS.index(lane[0]), lane[1])):
                value = RESET.get((kind, number), held[m.channel][kind, number])
                if value != held[m.channel][kind, number]:
                    found.append([sample, kind, m.channel, number, value])
                    held[m.channel][kind, number] = value
            continue
        if m.type == "control_change" and m.control < 120:
            change = ("controller", m.control, m.value / 127)
        elif m.type == "pitchwheel":
            change = ("pitch-bend", 0, m.pitch / 8192)
        elif m.type == "program_change":
            change = ("program", 0, m.program)
        elif m.type == "aftertouch":
            change = ("channel-pressure", 0, m.value / 127)
        elif m.type == "polytouch":
            change = ("key-pressure", m.note, m.value / 127)
        else:
            continue
        kind, number, value = change
        held[m.channel][kind, number] = value
        found.append([sample, kind, m.channel, number, value])
    return found


def key(found):
    durations = np.zeros(12)
    for _, duration, _, pitch, _, _, channel in found:
        if channel != 9:
            durations[pitch % 12] += max(duration, 1)
    scores = [
        (np.corrcoef(durations, np.roll(profile, tonic))[0, 1], f"{NAMES[mode][tonic]} {mode}")
        for mode, profile in PROFILES.items()
        for tonic in range(12)
    ]
    score, name = max(scores, key=lambda pair: pair[0])
    return [name, score]


def main(rate, paths):
    for path in paths:
        messages, sample, changes, ticks_per_beat, last = read(path, rate)
        found = notes(messages, messages[-1][0] + 1)
        print(
            json.dumps(
                {
                    "notes": found,
                    "controls": controls(messages),
                    "tempos": [[sample(tick), 60e6 / tempo] for tick, tempo, _ in changes],
                    "beats": [sample(tick) for tick in range(0, last + 1, ticks_per_beat)],
                    "key": key(found),
                }
            )
        )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
