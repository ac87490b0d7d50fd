"""What an export must hold, worked out from `truth.json` by spec/dataset-exports-tensors.md and not by Send Learn's code."""

import json
import pathlib

import numpy as np

STATUS = {"key-pressure": 10, "controller": 11, "program": 12, "channel-pressure": 13}
COLUMNS = {
    "midi_notes": ["onset", "duration", "pitch", "velocity", "channel", "sustained", "track"],
    "note_samples": ["onset", "duration", "sustained", "release_velocity", "held", "open"],
    "midi_events": ["sample", "track", "status", "data1", "data2", "sysex_offset", "sysex_length"],
    "controls": ["time", "status", "channel", "number", "value", "track"],
    "pitch_bend": ["time", "channel", "value", "track"],
    "tempo_map": ["time", "tempo"],
    "meter_map": ["time", "numerator", "denominator"],
    "beats": ["time", "ppq", "bar", "beat"],
}
WIDTHS = {"mfcc": "mfcc_n", "chroma": "chroma_n", "mel": "n_mels"}


class Truth:
    """What went into the export in a folder."""

    def __init__(self, folder):
        truth = json.loads((pathlib.Path(folder) / "truth.json").read_text())
        self.audio = truth["audio"]
        self.settings = truth["settings"]
        self.sequences = {sequence["about"]["id"]: sequence for sequence in truth["sequences"]}
        self.seen = set()

    def compare(self, arrays, metadata):
        """Asserts that a sequence's arrays and metadata are the true ones, with types and shapes."""
        sequence = self.sequences[metadata["id"]]
        assert metadata["id"] not in self.seen, f"{metadata['id']} is there twice"
        self.seen.add(metadata["id"])
        same(metadata, self.metadata(sequence), "metadata")
        truth = self.arrays(sequence)
        assert set(arrays) == set(truth), f"arrays {sorted(arrays)}, not {sorted(truth)}"
        for name, expected in truth.items():
            array = arrays[name]
            where = f"{name} of {metadata['id']}"
            assert array.dtype == expected.dtype, f"{where} is {array.dtype}, not {expected.dtype}"
            assert array.shape == expected.shape, f"{where} is {array.shape}, not {expected.shape}"
            assert np.array_equal(array, expected), f"{where} differs: {array}, not {expected}"

    def finish(self):
        """Asserts that every sequence was compared."""
        missing = set(self.sequences) - self.seen
        assert not missing, f"missing: {missing}"
        print(f"{len(self.seen)} sequences are as they went in")

    def metadata(self, sequence):
        names = ["n_fft", "hop_length", "n_mels", "mfcc_n", "chroma_n"]
        return sequence["about"] | {"columns": COLUMNS, "feature_settings": {name: self.settings[name] for name in names}}

    def arrays(self, sequence):
        about, features, music = sequence["about"], sequence["features"], sequence["music"]

        def seconds(samples):
            return samples / about["sample_rate"]

        def table(name, dtype, rows):
            return np.array(rows, dtype).reshape(len(rows), len(COLUMNS[name]))

        events, sysex = [], []
        for event in music["events"]:
            message = event["bytes"]
            if message[0] == 0xF0:
                events.append([event["sample"], event["track"], 0xF0, 0, 0, len(sysex), len(message)])
                sysex += message
            else:
                events.append([event["sample"], event["track"], *(message + [0, 0])[:3], 0, 0])
        arrays = {
            "midi_notes": table("midi_notes", np.float32, [
                [seconds(note["onset"]), seconds(note["duration"]), note["pitch"], note["velocity"], note["channel"],
                 seconds(note["sustained"]), note["track"]] for note in music["notes"]]),
            "note_samples": table("note_samples", np.int64, [
                [note[column] for column in COLUMNS["note_samples"]] for note in music["notes"]]),
            "midi_events": table("midi_events", np.int64, events),
            "sysex": np.array(sysex, np.uint8),
            "controls": table("controls", np.float32, [
                [seconds(control["sample"]), STATUS[control["kind"]], control["channel"], control["number"], control["value"],
                 control["track"]] for control in music["controls"] if control["kind"] != "pitch-bend"]),
            "pitch_bend": table("pitch_bend", np.float32, [
                [seconds(bend["sample"]), bend["channel"], bend["value"], bend["track"]]
                for bend in music["controls"] if bend["kind"] == "pitch-bend"]),
            "tempo_map": table("tempo_map", np.float32, [[seconds(tempo["sample"]), tempo["tempo"]] for tempo in music["tempos"]]),
            "meter_map": table("meter_map", np.float32, [
                [seconds(meter["sample"]), meter["numerator"], meter["denominator"]] for meter in music["meters"]]),
            "beats": table("beats", np.float32, [
                [seconds(beat["sample"]), beat["ppq"], beat["bar"], beat["beat"]] for beat in music["beats"]]),
        }
        frames = features["frames"]
        for name in set(features) - {"frames"}:
            shape = (frames, self.settings[WIDTHS[name]]) if name in WIDTHS else (frames,)
            arrays[name] = np.array(features[name], np.float32).reshape(shape)
        if self.audio:
            interleaved = np.array(sequence["audio"], np.float32)
            frames = about["frames"] if about["channels"] else 0
            arrays["audio"] = interleaved.reshape(frames, about["channels"]).T
        return arrays


def same(ours, truth, where):
    """Asserts that two values of JSON are equal, with their types."""
    assert type(ours) is type(truth), f"{where} is a {type(ours)}, not a {type(truth)}"
    if isinstance(truth, dict):
        assert set(ours) == set(truth), f"{where} has {sorted(ours)}, not {sorted(truth)}"
        for key, value in truth.items():
            same(ours[key], value, f"{where}.{key}")
    elif isinstance(truth, list):
        assert len(ours) == len(truth), f"{where} has {len(ours)} items, not {len(truth)}"
        for index, value in enumerate(truth):
            same(ours[index], value, f"{where}[{index}]")
    else:
        assert ours == truth, f"{where} is {ours!r}, not {truth!r}"
