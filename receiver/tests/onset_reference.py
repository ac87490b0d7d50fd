"""What librosa and mir_eval say about onsets: the reference for send_learn::quality.

usage: onset_reference.py onsets|agreement FOLDER

`onsets`: FOLDER/question.json lists sample rates, FOLDER/N.f32 has the mono samples at rate N; prints the onsets of each in
samples. `agreement`: question.json lists pairs of onsets of notes and of audio in seconds; prints F-measure, precision and
recall of each. Exit status 77: a library cannot be imported, or does not work.
"""

import json
import pathlib
import subprocess
import sys

# dB that a peak stands above the mean around it.
THRESHOLD = 1.0
# dB of mel power below which all is silent.
FLOOR = -70.0

# With some pairs of numba and numpy librosa's peak picking ends the interpreter.
PROBE = "import librosa, numpy; librosa.util.peak_pick(numpy.ones(9), pre_max=1, post_max=1, pre_avg=1, post_avg=1, delta=0, wait=1)"


def onsets(folder, rates):
    """Onsets of each signal with librosa's defaults, but for threshold and floor."""
    import librosa
    import numpy as np

    found = []
    for number, rate in enumerate(rates):
        samples = np.fromfile(folder / f"{number}.f32", dtype="<f4")
        decibels = librosa.power_to_db(librosa.feature.melspectrogram(y=samples, sr=rate), top_db=None)
        strength = librosa.onset.onset_strength(S=np.maximum(decibels, FLOOR), sr=rate)
        peaks = librosa.onset.onset_detect(onset_envelope=strength, sr=rate, normalize=False, delta=THRESHOLD, units="samples")
        found.append(peaks.tolist())
    return found


def agreement(_, pairs):
    """F-measure, precision and recall of each pair."""
    import mir_eval
    import numpy as np

    return [mir_eval.onset.f_measure(np.array(played), np.array(heard)) for played, heard in pairs]


def main(what, folder):
    question = json.loads((folder / "question.json").read_text())
    if what == "onsets":
        probe = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True)
        if probe.returncode != 0:
            reason = (probe.stderr.strip().splitlines() or [f"status {probe.returncode}"])[-1]
            print(f"librosa's peak picking does not work here: {reason}")
            return 77
    try:
        answer = {"onsets": onsets, "agreement": agreement}[what](folder, question)
    except ImportError as error:
        print(f"cannot import a library: {error}")
        return 77
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], pathlib.Path(sys.argv[2])))
