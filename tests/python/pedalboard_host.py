"""Plays a WAV file through the VST3 plugin in pedalboard, and checks its output; restores its state; opens and closes many instances.

usage: pedalboard_host.py play PLUGIN.vst3 INPUT.wav BLOCK
       pedalboard_host.py render PLUGIN.vst3
       pedalboard_host.py keep PLUGIN.vst3
       pedalboard_host.py cycle PLUGIN.vst3 INSTANCES

`play` says `played` when all went through, and stays until its input ends; so does `render`, which renders half a minute and then plays three seconds
in real time without a new activation. `keep` gives the state of an instance to another. `cycle` says
in JSON which threads are left, and by how many KiB memory grew over the last quarter of the instances.
"""

import gc
import json
import os
import sys
import time

import numpy as np
import pedalboard
import soundfile

NAME = "Send Learn"


def load(plugin):
    effect = pedalboard.load_plugin(plugin, plugin_name=NAME)
    if effect.reported_latency_samples != 0:
        sys.exit(f"the plugin reports a latency of {effect.reported_latency_samples} samples")
    return effect


def play(plugin, wav, block):
    sound, rate = soundfile.read(wav, dtype="float32", always_2d=True)
    sound = np.ascontiguousarray(sound.T)
    effect = load(plugin)
    heard = effect.process(sound, rate, buffer_size=int(block), reset=False)
    if heard.shape != sound.shape:
        sys.exit(f"output has the shape {heard.shape}, input {sound.shape}")
    differing = np.flatnonzero((heard.view(np.uint32) != sound.view(np.uint32)).any(axis=0))
    if len(differing):
        sys.exit(f"output differs from input in {len(differing)} frames, the first {differing[0]}")
    print("played", flush=True)
    sys.stdin.read()
    del effect
    time.sleep(0.1)


def render(plugin):
    effect, rate = load(plugin), 48_000
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 30 * rate)).astype(np.float32)
    effect.process(noise, rate, buffer_size=512, reset=False)
    begin = time.monotonic()
    for block in range(0, 3 * rate, 4_800):
        time.sleep(max(0.0, begin + block / rate - time.monotonic()))
        effect.process(noise[:, block : block + 4_800], rate, buffer_size=512, reset=False)
    print("played", flush=True)
    sys.stdin.read()
    del effect
    time.sleep(0.1)


def silence(effect):
    effect.process(np.zeros((2, 512), np.float32), 48_000, buffer_size=512, reset=False)


def keep(plugin):
    effect = load(plugin)
    effect.lane_3 = 0.25
    # A host tells a plugin of its parameters with the next block.
    silence(effect)
    state = effect.raw_state
    other = load(plugin)
    other.raw_state = state
    if abs(other.lane_3 - 0.25) > 0.001:
        sys.exit(f"a restored parameter is {other.lane_3}, not 0.25")
    print("kept")


def cycle(plugin, instances):
    def round_of(count):
        for _ in range(count):
            silence(load(plugin))
            # A plugin and its parameters know each other, so only the collector lets go of them.
            gc.collect()
        time.sleep(1)
        with open("/proc/self/statm") as pages:
            return int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024

    quarter = int(instances) // 4
    before = [round_of(quarter) for _ in range(3)][-1]
    grown = round_of(quarter) - before
    names = [open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task")]
    print(json.dumps({"threads": [name for name in names if name.startswith("send-learn")], "grown_kib": grown}), flush=True)


if __name__ == "__main__":
    {"play": play, "render": render, "keep": keep, "cycle": cycle}[sys.argv[1]](*sys.argv[2:])
