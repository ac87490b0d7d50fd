"""Reads the golden vectors by the specification alone: spec/wire-format.md and spec/fec.md, their tables and their words.

usage: spec_vectors.py SPEC_FOLDER

Nothing of Send Learn's code is used, nor any library beyond Python's own. Offsets, sizes and types of all fields come from the tables
of both as they stand there; samples, checksums and parities are computed anew from their words. Each vector must say what it was made
to say, and every table must be met. Ends with status 0 if all holds.
"""

import math
import pathlib
import re
import struct
import sys
import zlib

SPEC = pathlib.Path(sys.argv[1])


def tables(document):
    """The tables of fields in a document: by section (its number, else its title), in their order, {field: (offset, size, type)}."""
    found, section, rows = {}, None, None
    for line in (SPEC / document).read_text().splitlines():
        heading = re.match(r"#+ ([\d.]+|.+)", line)
        if heading:
            section = heading[1].rstrip(".")
        if re.match(r"\| offset \| size \| field \|", line):
            rows = found.setdefault(section, [])
            rows.append({})
            continue
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if rows is None or not line.startswith("|"):
            rows = None
            continue
        if len(cells) < 4 or not cells[0].isdigit() or not cells[1].isdigit():
            continue
        offset, size, name, words = int(cells[0]), int(cells[1]), cells[2], cells[3]
        kind = "d" if "binary64" in words else "s" if words.startswith("signed") or ": signed" in words else "u"
        while name in rows[-1]:
            name += " again"
        rows[-1][name] = (offset, size, kind)
    return found


TABLES = tables("wire-format.md") | tables("fec.md")
MET = set()


def fields(section, data, index=0):
    """What `data` says by a table."""
    MET.add((section, index))
    values = {}
    for name, (offset, size, kind) in TABLES[section][index].items():
        part = data[offset : offset + size]
        assert len(part) == size, f"{section}: {name} lies beyond the data"
        if kind == "d":
            values[name] = struct.unpack("<d", part)[0]
        elif size in (1, 2, 4, 7, 8):
            values[name] = int.from_bytes(part, "little", signed=kind == "s")
        else:
            values[name] = part
    return values


def vector(name):
    return bytes.fromhex((SPEC / "vectors" / f"{name}.hex").read_text())


def datagram(name):
    """Header and payload of a vector, whose checksum must be right."""
    data = vector(name)
    head = fields("2", data)
    payload = data[40:]
    assert head["magic"] == int.from_bytes(b"SLRN", "little") and head["version"] == 1, name
    assert head["payload length"] == len(payload) and len(data) <= 1_200, name
    assert head["checksum"] == zlib.crc32(data[8:]), f"{name}: checksum"
    return head, payload


def expect(name, values, **expected):
    for field, value in expected.items():
        found = values[field.replace("_", " ")]
        assert found == value, f"{name}: {field} is {found}, not {value}"


# Handshake and messages ---------------------------------------------------------------------------------------------------------


def hello(name, cookie):
    head, payload = datagram(name)
    expect(name, head, kind=1, session=0x1122334455667788, group=0xFFFFFFFF)
    values = fields("3.1", payload, 0)
    expect(name, values, oldest_version=1, newest_version=1, cookie=cookie, first=0, next=12)
    described(name, payload[40:])


def described(name, data):
    values = fields("3.1", data, 1)
    expect(name, values, stream=b"\x11" * 16, take=b"\x22" * 16, host=b"\x33" * 16, machine=b"\x44" * 16, sample_rate=48_000.0)
    expect(name, values, started=1_800_000_000_000_000_000, started_again=123_456_789, longest_block=512, channels=2, properties=2)
    rest, texts = data[96:], []
    for _ in range(values["properties"]):
        each = fields("3.1", rest, 2)
        texts.append((each["key"], rest[2 : 2 + each["length"]].decode()))
        rest = rest[2 + each["length"] :]
    assert texts == [(1, "Lead Vox"), (4, "CLAP")], f"{name}: {texts}"
    return rest


def messages():
    hello("hello-first", bytes(16))
    hello("hello-with-cookie", b"\xab" * 16)

    def message(name, kind, section, **expected):
        head, payload = datagram(name)
        expect(name, head, kind=kind, packet_number=5)
        values = fields(section, payload)
        expect(name, values, **expected)
        return payload

    message("retry", 2, "3.2", cookie=b"\xab" * 16)
    message("hello-ack", 3, "3.3", receiver=b"\x55" * 16, durable=9, version=1)
    message("refuse", 4, "3.4", reason=3)
    feedback = message(
        "feedback", 7, "5", received=40, complete=30, durable=20, highest_packet_number=55, datagrams=50, bytes=48_000, lost=6,
        bursts=2, delivered=36, repaired=2, previews=4, resent=3, duplicates=5, sent_at=77, jitter=250, queue=1_500,
        longest_burst=4, ranges=2, disk=1, marked=7,
    )
    assert fields("5", feedback)["back-filled"] == 1
    ranges = [fields("5", feedback[136 + 16 * index :], 1) for index in range(2)]
    assert [(each["first"], each["count"]) for each in ranges] == [(30, 2), (35, 1)], ranges
    probe = message("probe", 8, "6", t1=1_000, next=40, patience=60_000, round_trip=2_000)
    assert len(probe) == 24
    _, reply = datagram("probe-reply")
    expect("probe-reply", fields("6", reply, 1), t1=1_000, t2=2_000, t3=2_100)
    message("gone", 10, "7", first=3, count=4, reason=1)
    message("close", 11, "8", end=41)
    _, ack = datagram("close-ack")
    expect("close-ack", fields("8", ack, 1), end=41)


# Entries and records --------------------------------------------------------------------------------------------------------------

BODIES = {1: "4.2", 2: "4.3", 3: "4.4", 4: "4.5", 5: "4.6", 6: "4.7", 7: "4.8", 8: "4.9", 9: "4.10", 10: "4.11", 11: "4.12"}
FIXED = {1: 16, 2: 32, 3: 24, 4: 32, 5: 80, 6: 48, 7: 16, 8: 24, 9: 4, 10: 4, 11: 16}


def records(entry):
    """[(kind, values, data)] of an entry or a preview."""
    rest, found = entry[8:], []
    while rest:
        head = fields("4", rest, 1)
        body = rest[4 : 4 + head["length"]]
        assert len(body) == head["length"]
        kind = head["kind"]
        found.append((kind, fields(BODIES[kind], body), body[FIXED[kind] :]))
        rest = rest[4 + head["length"] :]
    return found


def lz4_block(data):
    """An LZ4 block (https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md)."""
    out, at = bytearray(), 0

    def length(first):
        nonlocal at
        total = first
        while first == 15:
            total += data[at]
            at += 1
            if data[at - 1] != 255:
                break
        return total

    while at < len(data):
        token = data[at]
        at += 1
        literals = length(token >> 4)
        out += data[at : at + literals]
        at += literals
        if at >= len(data):
            break
        distance = data[at] | data[at + 1] << 8
        at += 2
        for _ in range(length(token & 15) + 4):
            out.append(out[-distance])
    return bytes(out)


def exact_samples(values, data):
    """Section 4.2, formats 0 to 3: samples in frames."""
    frames, channels = values["frames"], values["channels"]
    count, size = frames * channels, {0: 0, 1: 2, 2: 3, 3: 4}[values["encoding"] & 0x7F]
    if size == 0:
        assert not data
        return [0.0] * count
    data = lz4_block(data) if values["encoding"] & 0x80 else data
    assert len(data) == count * size, (len(data), count, size)
    words = [bytes(data[plane * count + place] for plane in range(size)) for place in range(count)]
    by_channel = []
    for channel in range(channels):
        row = words[channel * frames : (channel + 1) * frames]
        if size == 4:
            by_channel.append([struct.unpack("<f", word)[0] for word in row])
            continue
        bits, value, line = 8 * size, 0, []
        for word in row:
            value = (value + int.from_bytes(word, "little")) % (1 << bits)
            signed = value - (1 << bits) if value >> (bits - 1) else value
            line.append(signed / (1 << bits - 1))
        by_channel.append(line)
    return [by_channel[channel][frame] for frame in range(frames) for channel in range(channels)]


def single(value):
    """The nearest float32."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def entries():
    pcm16 = [(n * 500 - 16_000) / 32_768 for n in range(64)]
    pcm24 = [(n * 100_003 - 3_000_000) / 8_388_608 for n in range(64)]
    sine = [math.sin(single(single(n) * single(0.1))) for n in range(64)]
    group = []
    for index, (name, played, format) in enumerate(
        [("silence", [0.0] * 64, 0), ("pcm16", pcm16, 1), ("pcm24", pcm24, 2), ("float32", sine, 3), ("every-record", None, None)]
    ):
        name = f"source-{name}"
        head, entry = datagram(name)
        expect(name, head, kind=5, flags=0, shard=index, packet_number=6 + index, group=0, k=5, m=2)
        expect(name, fields("4", entry, 0), source_number=100 + index)
        group.append(entry)
        if played is None:
            every_record(name, entry)
            continue
        [(kind, values, data)] = records(entry)
        assert kind == 1 and values["encoding"] & 0x7F == format
        expect(name, values, position=32 * index, frames=32, channels=2)
        samples = exact_samples(values, data)
        # A sine may be off by its last bit, on another machine; all else is exact.
        near = 1e-6 if format == 3 else 0
        assert all(abs(a - b) <= near for a, b in zip(samples, played)) and len(samples) == 64, f"{name}: {samples[:8]}"
    further_sources()
    head, again = datagram("source-repeat")
    expect("source-repeat", head, kind=5, flags=1, group=0xFFFFFFFF, k=0, m=0, sent=90_000)
    assert again == group[0]
    return group


def further_sources():
    head, entry = datagram("source-lz4")
    expect("source-lz4", head, kind=5, flags=0, group=0xFFFFFFFF)
    [(_, values, data)] = records(entry)
    expect("source-lz4", values, position=4_800, frames=400, channels=1, encoding=0x81)
    assert exact_samples(values, data) == [0.25 if n // 50 % 2 == 0 else -0.25 for n in range(400)]
    head, entry = datagram("source-back-fill")
    expect("source-back-fill", head, kind=5, flags=2, group=0xFFFFFFFF)
    (_, further, data), (_, expression, none) = records(entry)
    expect("source-back-fill", further, position=5_000, kind=2)
    assert data == bytes([1, 2, 0xF7]) and not none
    expect("source-back-fill", expression, kind=3, byte_0=2, byte_1=60, byte_2=3, note_id=-1, value=0.5)


def every_record(name, entry):
    found = records(entry)
    assert [kind for kind, _, _ in found] == [5, 3, 3, 9, 4, 2, 6, 7, 8, 10, 11], found
    at = {"position": 96_000}
    transport, note, sysex, parameter, automation, block, clock, marker, gap, text, end = found
    expect(name, transport[1], **at, flags=0x1FB, meter=7, meter_again=8, bar=3, tempo=93.5, playhead=48_000)
    expect(name, transport[1], playhead_again=1.0, playhead_again_again=1.558_333, bar_start=0.0, loop_start=0.0, loop_end=0.0)
    expect(name, note[1], **at, kind=0, byte_0=0x93, byte_1=60, byte_2=100, note_id=7, value=0.787_4)
    expect(name, sysex[1], **at, kind=1, note_id=-1)
    assert sysex[2] == bytes([0xF0, 0x7E, 0x7F, 9, 1, 0xF7])
    expect(name, parameter[1], parameter=0x00C0FFEE)
    assert parameter[2] == b"Lane 1"
    expect(name, automation[1], **at, parameter=0x00C0FFEE, normalized=0.25, plain=0.25)
    expect(name, block[1], **at, frames=512, checksum=0xDEADBEEF, host_time=987_654_321, playhead=48_000)
    expect(name, clock[1], **at, host_time=987_000_000, offset=-1_000_000, round_trip=300_000, uncertainty=150_000, drift=1_250.0)
    expect(name, marker[1], **at, kind=1)
    assert marker[2] == b"Verse"
    expect(name, gap[1], **at, frames=512, reason=1)
    expect(name, text[1], key=1)
    assert text[2] == b"Lead Vocals"
    expect(name, end[1], position=96_512, reason=1)


# Previews -------------------------------------------------------------------------------------------------------------------------


def preview_samples(values, data):
    """Section 4.13: formats 4 and 5."""
    frames, channels, format = values["frames"], values["channels"], values["encoding"] & 0x7F
    bits, coded = (12, frames) if format == 4 else (8, (frames + 1) // 2)
    data = lz4_block(data) if values["encoding"] & 0x80 else data
    exponents, planes = data[:channels], data[channels:]
    plane = (coded * channels + 7) // 8
    assert len(planes) == bits * plane
    by_channel = []
    for channel, exponent in enumerate(exponents):
        step = 2.0 ** (exponent - 256 * (exponent > 127) - bits + 1)
        a = b = 0
        line = []
        for frame in range(coded):
            place = channel * coded + frame
            code = sum((planes[bit * plane + place // 8] >> (place % 8) & 1) << bit for bit in range(bits))
            difference = code // 2 if code % 2 == 0 else -(code + 1) // 2
            value = (2 * a - b + difference + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)
            a, b = value, a
            line.append(value * step)
        if format == 5:
            at = lambda n, line=line: line[min(max(n, 0), len(line) - 1)]
            between = lambda n: (-at(n - 1) + 9 * at(n) + 9 * at(n + 1) - at(n + 2)) / 16
            line = [at(n // 2) if n % 2 == 0 else between(n // 2) for n in range(frames)]
        by_channel.append(line)
    return [by_channel[channel][frame] for frame in range(frames) for channel in range(channels)]


def previews():
    chord = [math.sin((n // 2) * 0.05 * (n % 2 + 1)) * 0.7 for n in range(130)]
    for name, level, near in (("preview-0.7", 0x87, 0.001), ("preview-0.3", 0x83, 0.02)):
        head, preview = datagram(name)
        expect(name, head, kind=13, group=7, shard=1, k=6, m=1)
        expect(name, fields("4.13", preview, 0), number=300, level=level)
        (kind, values, data), (other, note, _) = records(preview)
        assert (kind, other) == (1, 3)
        expect(name, note, byte_0=0x93)
        samples = preview_samples(values, data)
        wrong = max(abs(heard - played) for heard, played in zip(samples, chord))
        assert len(samples) == 130 and wrong < near, f"{name}: off by {wrong}"


# Parity ---------------------------------------------------------------------------------------------------------------------------


def multiply(a, b):
    """In GF(2^8) with 0x11D."""
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a = a << 1 ^ (0x11D if a & 0x80 else 0)
        b >>= 1
    return product


def power(a, n):
    product = 1
    for _ in range(n):
        product = multiply(product, a)
    return product


def inverse(matrix):
    """Gauss and Jordan, in GF(2^8)."""
    size = len(matrix)
    rows = [row + [int(at == index) for at in range(size)] for index, row in enumerate(matrix)]
    for column in range(size):
        pivot = next(row for row in range(column, size) if rows[row][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        factor = power(rows[column][column], 254)
        rows[column] = [multiply(factor, value) for value in rows[column]]
        for row in range(size):
            if row != column and rows[row][column]:
                factor = rows[row][column]
                rows[row] = [value ^ multiply(factor, other) for value, other in zip(rows[row], rows[column])]
    return [row[size:] for row in rows]


def parities(group):
    k, m = 5, 2
    vandermonde = [[power(row, column) for column in range(k)] for row in range(k + m)]
    upper = inverse(vandermonde[:k])
    length = max(len(entry) for entry in group) + 2
    shards = [struct.pack("<H", len(entry)) + entry + bytes(length - 2 - len(entry)) for entry in group]
    assert all(fields("Shards", shard)["length"] == len(entry) for shard, entry in zip(shards, group))
    for j in range(m):
        name = f"parity-{j}"
        head, payload = datagram(name)
        expect(name, head, kind=6, shard=k + j, group=0, k=k, m=m)
        expect(name, fields("Shards", vector(name), 2), shard=k + j, group=0, k=k, m=m, payload_length=length)
        row = [0] * k
        for column in range(k):
            for inner in range(k):
                row[column] ^= multiply(vandermonde[k + j][inner], upper[inner][column])
        computed = bytearray(length)
        for factor, shard in zip(row, shards):
            table = bytes(multiply(factor, value) for value in range(256))
            computed = bytearray(a ^ b for a, b in zip(computed, shard.translate(table)))
        expect(name, fields("Shards", payload, 1), parity_of_the_lengths=int.from_bytes(computed[:2], "little"))
        assert bytes(computed) == payload, f"{name}: another parity"


def main():
    messages()
    parities(entries())
    previews()
    unmet = {(section, index) for section, found in TABLES.items() for index, rows in enumerate(found) if rows} - MET
    # The planes of a preview have sizes in words, and were read by these.
    unmet -= {("4.13", 1)}
    assert not unmet, f"no vector was read by these tables: {sorted(unmet)}"
    print(f"{len(MET)} tables of wire-format.md and fec.md are met by the vectors, and all parities")


if __name__ == "__main__":
    main()
