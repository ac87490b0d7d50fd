"""LSL's side of the bench `recording`: 16 stereo float streams in real time on this machine, received and not recorded.

    lsl.py send STREAMS SECONDS     one outlet for each stream, chunks of 512 frames, until it is killed
    lsl.py receive STREAMS SECONDS  one inlet for each, read into arrays that are used again

Each prints what it used in so many seconds, from when all streams are connected.
"""

import itertools
import os
import resource
import sys
import tempfile
import time

# Nothing leaves this machine.
config = tempfile.NamedTemporaryFile("w", suffix=".cfg", delete=False)
config.write("[multicast]\nResolveScope = machine\n[lab]\nKnownPeers = {127.0.0.1}\n[ports]\nIPv6 = disable\n[log]\nlevel = -3\n")
config.close()
os.environ["LSLAPICFG"] = config.name

import numpy  # noqa: E402
import pylsl  # noqa: E402

RATE, CHUNK = 48_000, 512


def own_usage():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    with open("/proc/self/status") as status:
        peak = next(line for line in status if line.startswith("VmHWM"))
    return usage.ru_utime + usage.ru_stime, int(peak.split()[1]) / 1024


def send(streams, seconds):
    outlets = [
        pylsl.StreamOutlet(pylsl.StreamInfo(f"send-learn-{number}", "Audio", 2, RATE, pylsl.cf_float32, f"bench-{number}"), CHUNK)
        for number in range(streams)
    ]
    chunk = (numpy.random.default_rng(1).random((CHUNK, 2), dtype=numpy.float32) - 0.5) * 0.5
    print("ready", flush=True)
    start, begin, told = time.monotonic(), None, False
    for number in itertools.count():
        time.sleep(max(0.0, start + number * CHUNK / RATE - time.monotonic()))
        for outlet in outlets:
            outlet.push_chunk(chunk)
        if begin is None and all(outlet.have_consumers() for outlet in outlets):
            begin, (before, _) = time.monotonic(), own_usage()
        elif begin is not None and not told and time.monotonic() - begin >= seconds:
            after, peak = own_usage()
            told = True
            print(after - before, peak, flush=True)


def receive(streams, seconds):
    inlets = []
    deadline = time.monotonic() + 30
    while len(inlets) < streams and time.monotonic() < deadline:
        found = [info for info in pylsl.resolve_byprop("type", "Audio", streams, 2) if info.source_id().startswith("bench-")]
        if len(found) >= streams:
            inlets = [pylsl.StreamInlet(info, max_chunklen=CHUNK) for info in found]
    if len(inlets) < streams:
        sys.exit(f"only {len(inlets)} streams were found")
    for inlet in inlets:
        inlet.open_stream(timeout=10)
    buffer = numpy.zeros((4096, 2), dtype=numpy.float32)
    before, _ = own_usage()
    print("ready", flush=True)
    frames, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(CHUNK / RATE)
        for inlet in inlets:
            _, stamps = inlet.pull_chunk(timeout=0.0, max_samples=4096, dest_obj=buffer)
            frames += len(stamps)
    after, peak = own_usage()
    print(after - before, peak, frames / streams / RATE, flush=True)


role, streams, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
try:
    {"send": send, "receive": receive}[role](streams, seconds)
finally:
    os.unlink(config.name)
