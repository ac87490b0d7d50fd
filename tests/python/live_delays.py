"""How late a live view had each block of a recording, read from its tables alone (spec/hdf5-layout.md).

usage: live_delays.py RECORDING.h5

A line for each row of /blocks: when the host handed the block over (its machine's monotonic clock, ns), how much later its last
part came (ns, on the receiver's clock by /clock), how that part came (0 live, 1 rebuilt, 2 sent again, 3 back-filled).
"""

import sys

import h5py
import numpy as np


def main():
    with h5py.File(sys.argv[1], "r") as recording:
        blocks, clock = recording["blocks"][:], recording["clock"][:]
    host = blocks["host_nanos"].astype(np.int64)
    # The newest estimate before a block, or the first one.
    nearest = np.maximum(np.searchsorted(clock["sample"], blocks["sample"], side="right") - 1, 0)
    estimate = clock[nearest]
    grown = (host - estimate["host_nanos"].astype(np.int64)) * estimate["drift_ppb"] * 1e-9
    delay = blocks["arrival_nanos"].astype(np.int64) - host - estimate["offset_nanos"] - grown.astype(np.int64)
    for row in zip(host, delay, blocks["arrival"]):
        print(*row)


if __name__ == "__main__":
    main()
