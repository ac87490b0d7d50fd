"""Plays sound and notes into a JACK client named send_learn, checks what comes out of it, and later what was recorded of it.

usage: jack_player.py play PLAYED.npz
       jack_player.py check PLAYED.npz RECORDING.h5

`play` saves what it played to PLAYED.npz; the server is the one that JACK_DEFAULT_SERVER names.
"""

import sys
import time

import numpy as np

RATE = 48_000
SECONDS = 4
PATIENCE = 20


def differing(one, other):
    return int((one.view(np.uint32) != other.view(np.uint32)).sum())


def begin_of(heard, played):
    """Where in `heard` the sound begins that was played."""
    head = played[0, :64]
    for place in np.flatnonzero(heard[0] == head[0]):
        if np.array_equal(heard[0, place : place + len(head)], head):
            return int(place)
    sys.exit("nothing of what was played is there")


def play(path):
    import jack

    sound = (np.random.default_rng(7).standard_normal((2, SECONDS * RATE)) * 0.1).astype(np.float32)
    player = jack.Client("player")
    outputs = [player.outports.register(f"sound_{channel}") for channel in range(2)]
    notes = player.midi_outports.register("notes")
    inputs = [player.inports.register(f"heard_{channel}") for channel in range(2)]
    heard, events = [], []
    # Silence first: the sound begins when all is connected.
    position = -RATE

    @player.set_process_callback
    def process(frames):
        nonlocal position
        for channel, port in enumerate(outputs):
            block = np.zeros(frames, np.float32)
            if 0 <= position < sound.shape[1]:
                samples = sound[channel, position : position + frames]
                block[: len(samples)] = samples
            port.get_array()[:] = block
        notes.clear_buffer()
        block = position // frames
        if 0 <= position < sound.shape[1] - RATE:
            for when, status, offset in ((5, 0x90, 37), (10, 0x80, 411)):
                if block % 15 == when:
                    event = (status, 60 + block // 15 % 12, 100 if status == 0x90 else 0)
                    notes.write_midi_event(offset, event)
                    events.append((position + offset, *event))
        heard.append(np.stack([np.array(port.get_array()) for port in inputs]))
        position += frames

    # Blocks begin at 0.
    position = -RATE // player.blocksize * player.blocksize
    with player:
        limit = time.monotonic() + PATIENCE
        while len(player.get_ports("send_learn:")) < 6:
            if time.monotonic() > limit:
                sys.exit("the client send_learn did not come")
            time.sleep(0.05)
        for channel in range(2):
            player.connect(outputs[channel], f"send_learn:input_{channel + 1}")
            player.connect(f"send_learn:output_{channel + 1}", inputs[channel])
        player.connect(notes, "send_learn:midi_input")
        position = -RATE // player.blocksize * player.blocksize
        while position < sound.shape[1] + RATE:
            time.sleep(0.05)
    heard = np.concatenate(heard, axis=1)
    begin = begin_of(heard, sound)
    if differing(heard[:, begin : begin + sound.shape[1]], sound):
        sys.exit("what came out of the plugin is not what went in")
    np.savez(path, sound=sound, events=np.array(events))
    print(f"played {len(events)} events")


def check(path, recording):
    import h5py

    played = np.load(path)
    sound, events = played["sound"], played["events"]
    with h5py.File(recording) as file:
        audio = np.ascontiguousarray(file["audio"][:].T)
        midi = file["midi"][:]
        gaps = len(file["gaps"])
    begin = begin_of(audio, sound)
    wrong = differing(np.ascontiguousarray(audio[:, begin : begin + sound.shape[1]]), sound)
    found = [(int(row["sample"]) - begin, int(row["status"]), int(row["data1"]), int(row["data2"])) for row in midi]
    if wrong or gaps or found != [tuple(map(int, event)) for event in events]:
        sys.exit(f"{wrong} samples differ, {gaps} gaps, {len(found)} events of {len(events)}: {found[:4]}, {events[:4].tolist()}")
    print(f"equal: {sound.shape[1]} frames, {len(found)} events")


if __name__ == "__main__":
    {"play": play, "check": check}[sys.argv[1]](*sys.argv[2:])
