"""Plays a WAV and a MIDI file through the VST3 plugin in dawdreamer, a host built on JUCE, and checks its output.

usage: vst3_host.py PLUGIN.vst3 INPUT.wav INPUT.mid BLOCK

Says `played` when all is rendered, and stays until its input ends.
"""

import sys
import time

import dawdreamer
import numpy as np
import soundfile


def main():
    plugin, wav, midi, block = sys.argv[1:]
    sound, rate = soundfile.read(wav, dtype="float32", always_2d=True)
    sound = np.ascontiguousarray(sound.T)
    # It cuts off the fraction of a sample.
    seconds = (sound.shape[1] + 0.5) / rate
    engine = dawdreamer.RenderEngine(rate, int(block))
    engine.set_bpm(120)
    source = engine.make_playback_processor("source", sound)
    effect = engine.make_plugin_processor("effect", plugin)
    if effect.get_num_input_channels() != len(sound):
        effect.set_bus(len(sound), len(sound))
    effect.load_midi(midi, clear_previous=True, beats=False, all_events=True)
    engine.load_graph([(source, []), (effect, ["source"])])
    engine.render(seconds)
    heard = engine.get_audio()
    if heard.shape != sound.shape:
        sys.exit(f"output has the shape {heard.shape}, input {sound.shape}")
    differing = np.flatnonzero((heard.view(np.uint32) != sound.view(np.uint32)).any(axis=0))
    if len(differing):
        sys.exit(f"output differs from input in {len(differing)} frames, the first {differing[0]}")
    print("played", flush=True)
    sys.stdin.read()
    # The host closes the plugin, and ends.
    del effect, source, engine
    time.sleep(0.1)


if __name__ == "__main__":
    main()
