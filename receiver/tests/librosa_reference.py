"""What librosa makes of signals: the reference for send_learn::features.

usage: librosa_reference.py FOLDER

For every NAME.json in FOLDER (the settings; sample_rate, n_fft, hop_length, n_mels, mfcc_n, chroma_n) it reads the mono
samples NAME.f32 and writes NAME.FEATURE.f64: one value after another, frame by frame, little-endian. All spectral features
share one short-time Fourier transform, as in Send Learn. Exit status 77: librosa 0.11 cannot be imported.
"""

import json
import pathlib
import sys
import warnings

try:
    import librosa
    import numpy as np
except ImportError as error:
    print(f"cannot import librosa: {error}")
    sys.exit(77)
if not librosa.__version__.startswith("0.11."):
    print(f"librosa is {librosa.__version__}, not 0.11")
    sys.exit(77)


def features(y, sample_rate, n_fft, hop_length, n_mels, mfcc_n, chroma_n):
    """Every feature as librosa defines it, with tuning 0 and otherwise the defaults."""
    frames = {"n_fft": n_fft, "hop_length": hop_length}
    magnitude = np.abs(librosa.stft(y, **frames))
    power = magnitude**2
    mel = librosa.feature.melspectrogram(S=power, sr=sample_rate, n_mels=n_mels, **frames)
    decibels = librosa.power_to_db(mel)
    lengths = {"frame_length": n_fft, "hop_length": hop_length}
    return {
        "mel": mel,
        "mfcc": librosa.feature.mfcc(S=decibels, n_mfcc=mfcc_n),
        "chroma": librosa.feature.chroma_stft(S=power, sr=sample_rate, tuning=0.0, n_chroma=chroma_n, **frames),
        "centroid": librosa.feature.spectral_centroid(S=magnitude, sr=sample_rate, **frames),
        "bandwidth": librosa.feature.spectral_bandwidth(S=magnitude, sr=sample_rate, **frames),
        "rolloff": librosa.feature.spectral_rolloff(S=magnitude, sr=sample_rate, **frames),
        "flatness": librosa.feature.spectral_flatness(S=magnitude),
        "zero_crossing_rate": librosa.feature.zero_crossing_rate(y, **lengths),
        "rms": librosa.feature.rms(y=y, **lengths),
        "onset": librosa.onset.onset_strength(S=decibels, sr=sample_rate, **frames),
    }


def main(folder):
    # Signals shorter than a frame, and bands narrower than a bin, are meant here.
    warnings.filterwarnings("ignore", message="n_fft=|Empty filters")
    for settings in sorted(folder.glob("*.json")):
        samples = np.fromfile(settings.with_suffix(".f32"), dtype="<f4")
        for name, values in features(samples, **json.loads(settings.read_text())).items():
            values = np.atleast_2d(values)
            values.T.astype("<f8").tofile(settings.with_suffix(f".{name}.f64"))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
