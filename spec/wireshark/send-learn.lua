-- Send Learn's datagrams in Wireshark and tshark: spec/wire-format.md, version 1. Fields bear the names that they have there.
--
--     tshark -X lua_script:spec/wireshark/send-learn.lua -r session.pcapng -Y 'sendlearn.kind == 7'
--
-- Copied to Wireshark's folder for personal plugins (Help, About, Folders), it is there in every session. Datagrams are known by
-- their magic, whatever the port.

local MAGIC = 0x534C524E -- "SLRN"
local HEADER = 40

local proto = Proto("sendlearn", "Send Learn")

-- Names of values ------------------------------------------------------------------------------------------------------------

local KINDS = {
    "hello", "retry", "hello-ack", "refuse", "source", "parity", "feedback", "probe", "probe-reply", "gone", "close", "close-ack",
    "preview",
}
local REFUSALS = {
    "no common version", "too many streams", "the recording cannot be written", "the receiver is closing",
    "the take is complete already", "the session is unknown", "the receiver has a key", "sealed with another key",
    "sealed, and the receiver has no key", "too many streams from one address", [255] = "other",
}
local DISKS = { [0] = "recording goes on", "full", "cannot be written" }
local GONE_REASONS = { "retention full", "sender restarted", [255] = "other" }
local PROPERTIES = {
    "name", "host application", "host version", "format", "version of the sender", "DAW project", "machine's name", "contributor",
    "licence", "consent", "replay of", "colour",
}
local RECORDS = {
    "audio", "block", "MIDI", "automation", "transport", "clock", "marker", "gap", "parameter", "property", "end",
}
local FORMATS = {
    [0] = "silence", "16-bit", "24-bit", "float32", "preview at 0.7, 12 bits", "preview at 0.3, 8 bits",
}
local MIDI_KINDS = { [0] = "message", "system exclusive", "further part of system exclusive", "note expression" }
local MARKERS = {
    "text", "locate", "loop", "bypass on", "bypass off", "private on", "private off", "capture off", "capture on", "tempo",
    [255] = "other",
}
local GAP_REASONS = {
    "ring full", "bypassed", "retention full", "sender restarted", "interrupted", "the file's audio had ended", "capture was off",
    "private", [255] = "other",
}
local END_REASONS = { "deactivated", "end of file", "stopped", "interrupted", [255] = "other" }
local LEVELS = { [0x87] = "0.7", [0x83] = "0.3" }
local CHECKSUMS = { [0] = "bad", "good", "not checked" }

-- Fields ---------------------------------------------------------------------------------------------------------------------

local fields = {}

-- A field: `name` is its filter's, `make` a constructor of ProtoField, `label` what is shown.
local function field(name, make, label, ...)
    fields[name] = make("sendlearn." .. name, label, ...)
    return name
end

-- A row of a table of the specification: offset, size, field.
local function row(offset, size, name, make, label, ...)
    return { offset = offset, size = size, name = field(name, make, label, ...) }
end

local u8, u16, u32, u64 = ProtoField.uint8, ProtoField.uint16, ProtoField.uint32, ProtoField.uint64
local i32, i64, f64 = ProtoField.int32, ProtoField.int64, ProtoField.double
local bytes, text, guid = ProtoField.bytes, ProtoField.string, ProtoField.guid

local HEADER_TABLE = {
    row(0, 4, "magic", text, "Magic"),
    row(4, 4, "checksum", u32, "Checksum", base.HEX),
    row(8, 1, "version", u8, "Version"),
    row(9, 1, "kind", u8, "Kind", base.DEC, KINDS),
    row(10, 1, "flags", u8, "Flags", base.HEX),
    row(11, 1, "shard", u8, "Shard"),
    row(12, 8, "session", u64, "Session", base.HEX),
    row(20, 8, "packet_number", u64, "Packet number"),
    row(28, 4, "group", u32, "Group"),
    row(32, 1, "k", u8, "k, sources of the group"),
    row(33, 1, "m", u8, "m, parities of the group"),
    row(34, 2, "payload_length", u16, "Payload length"),
    row(36, 4, "sent", u32, "Sent (microseconds, wrapping)"),
}
field("checksum.status", u8, "Checksum", base.DEC, CHECKSUMS)
field("flags.repeat", ProtoField.bool, "Repeat", 8, nil, 0x01)
field("flags.back_fill", ProtoField.bool, "Back-fill", 8, nil, 0x02)
field("flags.sealed", ProtoField.bool, "Sealed", 8, nil, 0x80)
field("sealed.text", bytes, "Sealed")
field("sealed.tag", bytes, "Tag")
field("malformed", text, "Malformed")

local HELLO = {
    row(0, 1, "hello.oldest_version", u8, "Oldest version"),
    row(1, 1, "hello.newest_version", u8, "Newest version"),
    row(8, 16, "hello.cookie", bytes, "Cookie"),
    row(24, 8, "hello.first", u64, "First"),
    row(32, 8, "hello.next", u64, "Next"),
}
local DESCRIPTION = {
    row(0, 16, "description.stream", guid, "Stream"),
    row(16, 16, "description.take", guid, "Take"),
    row(32, 16, "description.host", guid, "Host"),
    row(48, 16, "description.machine", guid, "Machine"),
    row(64, 8, "description.sample_rate", f64, "Sample rate (Hz)"),
    row(72, 8, "description.started_unix", u64, "Started (ns since 1970)"),
    row(80, 8, "description.started", u64, "Started (monotonic, ns)"),
    row(88, 4, "description.longest_block", u32, "Longest block (frames)"),
    row(92, 2, "description.channels", u16, "Channels"),
    row(94, 2, "description.properties", u16, "Properties"),
}
field("property.key", u8, "Key", base.DEC, PROPERTIES)
field("property.text", text, "Text")

local TABLES = {
    [2] = { row(0, 16, "retry.cookie", bytes, "Cookie") },
    [3] = {
        row(0, 16, "hello_ack.receiver", guid, "Receiver"),
        row(16, 8, "hello_ack.durable", u64, "Durable"),
        row(24, 1, "hello_ack.version", u8, "Version"),
    },
    [4] = { row(0, 1, "refuse.reason", u8, "Reason", base.DEC, REFUSALS) },
    [7] = {
        row(0, 8, "feedback.received", u64, "Received"),
        row(8, 8, "feedback.complete", u64, "Complete"),
        row(16, 8, "feedback.durable", u64, "Durable"),
        row(24, 8, "feedback.highest_packet_number", u64, "Highest packet number"),
        row(32, 8, "feedback.datagrams", u64, "Datagrams"),
        row(40, 8, "feedback.bytes", u64, "Bytes"),
        row(48, 8, "feedback.lost", u64, "Lost"),
        row(56, 8, "feedback.bursts", u64, "Bursts"),
        row(64, 8, "feedback.delivered", u64, "Delivered"),
        row(72, 8, "feedback.repaired", u64, "Repaired"),
        row(80, 8, "feedback.previews", u64, "Previews"),
        row(88, 8, "feedback.resent", u64, "Resent"),
        row(96, 8, "feedback.back_filled", u64, "Back-filled"),
        row(104, 8, "feedback.duplicates", u64, "Duplicates"),
        row(112, 8, "feedback.sent_at", u64, "Sent at (ns)"),
        row(120, 4, "feedback.jitter", u32, "Jitter (microseconds)"),
        row(124, 4, "feedback.queue", u32, "Queue (microseconds)"),
        row(128, 2, "feedback.longest_burst", u16, "Longest burst (datagrams)"),
        row(130, 1, "feedback.ranges", u8, "Missing ranges"),
        row(131, 1, "feedback.disk", u8, "Disk", base.DEC, DISKS),
        row(132, 4, "feedback.marked", u32, "Marked (CE)"),
    },
    [8] = {
        row(0, 8, "probe.t1", u64, "t1 (ns)"),
        row(8, 8, "probe.next", u64, "Next"),
        row(16, 4, "probe.patience", u32, "Patience (microseconds)"),
        row(20, 4, "probe.round_trip", u32, "Round trip (microseconds)"),
    },
    [9] = {
        row(0, 8, "probe_reply.t1", u64, "t1 (ns)"),
        row(8, 8, "probe_reply.t2", u64, "t2 (ns)"),
        row(16, 8, "probe_reply.t3", u64, "t3 (ns)"),
    },
    [10] = {
        row(0, 8, "gone.first", u64, "First"),
        row(8, 8, "gone.count", u64, "Count"),
        row(16, 1, "gone.reason", u8, "Reason", base.DEC, GONE_REASONS),
    },
    [11] = { row(0, 8, "close.end", u64, "End") },
    [12] = { row(0, 8, "close_ack.end", u64, "End") },
}
local FEEDBACK_LENGTH = 136
local RANGE = {
    row(0, 8, "missing.first", u64, "First"),
    row(8, 8, "missing.count", u64, "Count"),
}

field("source_number", u64, "Source number")
field("preview.number", u64, "Number")
field("preview.level", u8, "Level", base.HEX, LEVELS)
field("parity.lengths", u16, "Parity of the lengths", base.HEX)
field("parity.entries", bytes, "Parity of the entries")

local RECORD = {
    row(0, 1, "record.kind", u8, "Kind", base.DEC, RECORDS),
    row(1, 1, "record.flags", u8, "Flags", base.HEX),
    row(2, 2, "record.length", u16, "Length"),
}
-- The bodies of records; `rest` is the field of what follows the fixed ones.
local BODIES = {
    [1] = {
        row(0, 8, "audio.position", u64, "Position (samples)"),
        row(8, 4, "audio.frames", u32, "Frames"),
        row(12, 2, "audio.channels", u16, "Channels"),
        row(14, 1, "audio.format", u8, "Format", base.DEC, FORMATS, 0x7F),
        row(14, 1, "audio.lz4", ProtoField.bool, "LZ4", 8, nil, 0x80),
        length = 16, rest = field("audio.data", bytes, "Data"),
    },
    [2] = {
        row(0, 8, "block.position", u64, "Position (samples)"),
        row(8, 4, "block.frames", u32, "Frames"),
        row(12, 4, "block.checksum", u32, "Checksum of the samples", base.HEX),
        row(16, 8, "block.host_time", u64, "Host time (ns)"),
        row(24, 8, "block.playhead", i64, "Playhead (samples)"),
        length = 32,
    },
    [3] = {
        row(0, 8, "midi.position", u64, "Position (samples)"),
        row(8, 1, "midi.kind", u8, "Kind", base.DEC, MIDI_KINDS),
        row(9, 1, "midi.byte_0", u8, "Byte 0", base.HEX),
        row(10, 1, "midi.byte_1", u8, "Byte 1", base.HEX),
        row(11, 1, "midi.byte_2", u8, "Byte 2", base.HEX),
        row(12, 4, "midi.note_id", i32, "Note id"),
        row(16, 8, "midi.value", f64, "Value"),
        length = 24, rest = field("midi.data", bytes, "Data"),
    },
    [4] = {
        row(0, 8, "automation.position", u64, "Position (samples)"),
        row(8, 4, "automation.parameter", u32, "Parameter", base.HEX),
        row(16, 8, "automation.normalized", f64, "Normalized"),
        row(24, 8, "automation.plain", f64, "Plain"),
        length = 32,
    },
    [5] = {
        row(0, 8, "transport.position", u64, "Position (samples)"),
        row(8, 2, "transport.flags", u16, "Flags", base.HEX),
        row(10, 2, "transport.beats", u16, "Beats per bar"),
        row(12, 2, "transport.note_value", u16, "Note value of a beat"),
        row(16, 4, "transport.bar", i32, "Bar"),
        row(24, 8, "transport.tempo", f64, "Tempo (quarter notes per minute)"),
        row(32, 8, "transport.playhead_samples", i64, "Playhead (samples)"),
        row(40, 8, "transport.playhead_seconds", f64, "Playhead (seconds)"),
        row(48, 8, "transport.playhead_quarters", f64, "Playhead (quarter notes)"),
        row(56, 8, "transport.bar_start", f64, "Bar start (quarter notes)"),
        row(64, 8, "transport.loop_start", f64, "Loop start (quarter notes)"),
        row(72, 8, "transport.loop_end", f64, "Loop end (quarter notes)"),
        length = 80,
    },
    [6] = {
        row(0, 8, "clock.position", u64, "Position (samples)"),
        row(8, 8, "clock.host_time", u64, "Host time (ns)"),
        row(16, 8, "clock.offset", i64, "Offset (ns)"),
        row(24, 8, "clock.round_trip", u64, "Round trip (ns)"),
        row(32, 8, "clock.uncertainty", u64, "Uncertainty (ns)"),
        row(40, 8, "clock.drift", f64, "Drift (parts per billion)"),
        length = 48,
    },
    [7] = {
        row(0, 8, "marker.position", u64, "Position (samples)"),
        row(8, 1, "marker.kind", u8, "Kind", base.DEC, MARKERS),
        length = 16, rest = field("marker.text", text, "Text"),
    },
    [8] = {
        row(0, 8, "gap.position", u64, "Position (samples)"),
        row(8, 8, "gap.frames", u64, "Frames"),
        row(16, 1, "gap.reason", u8, "Reason", base.DEC, GAP_REASONS),
        length = 24,
    },
    [9] = {
        row(0, 4, "parameter.number", u32, "Parameter", base.HEX),
        length = 4, rest = field("parameter.name", text, "Name"),
    },
    [10] = {
        row(0, 4, "property_record.key", u32, "Key", base.DEC, PROPERTIES),
        length = 4, rest = field("property_record.text", text, "Text"),
    },
    [11] = {
        row(0, 8, "end.position", u64, "Position (samples)"),
        row(8, 1, "end.reason", u8, "Reason", base.DEC, END_REASONS),
        length = 16,
    },
}

for _, made in pairs(fields) do
    table.insert(proto.fields, made)
end
local shorter = ProtoExpert.new("sendlearn.shorter", "Shorter than its table", expert.group.MALFORMED, expert.severity.ERROR)
local damaged = ProtoExpert.new("sendlearn.damaged", "Wrong checksum", expert.group.CHECKSUM, expert.severity.ERROR)
local unknown = ProtoExpert.new("sendlearn.unknown", "Unknown", expert.group.UNDECODED, expert.severity.WARN)
proto.experts = { shorter, damaged, unknown }

-- Parts ----------------------------------------------------------------------------------------------------------------------

-- Adds what a table says of `range`; false when it is too short.
local function add_table(tree, range, rows, length)
    for _, each in ipairs(rows) do
        length = math.max(length or 0, each.offset + each.size)
    end
    if range:len() < length then
        tree:add(fields["malformed"], range, "shorter than its table"):add_proto_expert_info(shorter)
        return false
    end
    for _, each in ipairs(rows) do
        tree:add_le(fields[each.name], range(each.offset, each.size))
    end
    return true
end

-- What lies behind `offset`, or nil.
local function behind(range, offset)
    return range:len() > offset and range(offset) or nil
end

local function add_records(tree, rest)
    local count = 0
    while rest do
        local node = tree:add(proto, rest, "Record")
        if not add_table(node, rest, RECORD) then return count end
        local kind, length = rest(0, 1):uint(), rest(2, 2):le_uint()
        if rest:len() < 4 + length then
            node:add(fields["malformed"], rest, "the entry ends within a record"):add_proto_expert_info(shorter)
            return count
        end
        node:set_len(4 + length)
        node:set_text("Record: " .. (RECORDS[kind] or "kind " .. kind))
        local body, rows = length > 0 and rest(4, length) or nil, BODIES[kind]
        if not rows then
            node:add_proto_expert_info(unknown, "Unknown kind of record")
        elseif not body or not add_table(node, body, rows, rows.length) then
            return count
        elseif rows.rest and behind(body, rows.length) then
            node:add(fields[rows.rest], behind(body, rows.length))
        end
        count = count + 1
        rest = behind(rest, 4 + length)
    end
    return count
end

local function add_description(tree, rest)
    local node = tree:add(proto, rest, "Description")
    if not add_table(node, rest, DESCRIPTION) then return end
    local left = rest(94, 2):le_uint()
    rest = behind(rest, 96)
    while left > 0 do
        local length = rest and rest:len() >= 2 and rest(1, 1):uint() or math.huge
        if not rest or rest:len() < 2 + length then
            node:add(fields["malformed"], "the properties go beyond the hello"):add_proto_expert_info(shorter)
            return
        end
        local property = node:add(proto, rest(0, 2 + length), "Property")
        property:add(fields["property.key"], rest(0, 1))
        if length > 0 then property:add(fields["property.text"], rest(2, length)) end
        rest, left = behind(rest, 2 + length), left - 1
    end
end

-- What only members of the studio understand (spec/security.md): a hello's front is for everyone.
local TAG = 16
local HELLO_FRONT = { HELLO[1], HELLO[2], HELLO[3] }
local function add_sealed(tree, payload, kind)
    if kind == 1 then
        if not add_table(tree, payload, HELLO_FRONT) then return end
        payload = behind(payload, 24)
    end
    if not payload or payload:len() < TAG then
        tree:add(fields["malformed"], "shorter than a tag"):add_proto_expert_info(shorter)
        return
    end
    local text = payload:len() - TAG
    if text > 0 then tree:add(fields["sealed.text"], payload(0, text)) end
    tree:add(fields["sealed.tag"], payload(text, TAG))
end

-- What follows the table of a payload, by kind; gives words for the list of packets.
local PAYLOADS = {
    [1] = function(tree, payload)
        if add_table(tree, payload, HELLO) and behind(payload, 40) then add_description(tree, payload(40)) end
    end,
    [5] = function(tree, payload)
        if payload:len() < 8 then return add_table(tree, payload, {}, 8) end
        tree:add_le(fields["source_number"], payload(0, 8))
        return payload(0, 8):le_uint64() .. ", " .. add_records(tree, behind(payload, 8)) .. " records"
    end,
    [6] = function(tree, payload)
        if payload:len() < 2 then return add_table(tree, payload, {}, 2) end
        tree:add_le(fields["parity.lengths"], payload(0, 2))
        if behind(payload, 2) then tree:add(fields["parity.entries"], payload(2)) end
    end,
    [7] = function(tree, payload)
        local ranges = payload:len() >= FEEDBACK_LENGTH and payload(130, 1):uint() or 0
        if not add_table(tree, payload, TABLES[7], FEEDBACK_LENGTH + 16 * ranges) then return end
        for index = 0, ranges - 1 do
            local range = payload(FEEDBACK_LENGTH + 16 * index, 16)
            add_table(tree:add(proto, range, "Missing"), range, RANGE)
        end
        return "durable " .. payload(16, 8):le_uint64() .. ", complete " .. payload(8, 8):le_uint64() .. ", " .. ranges .. " missing ranges"
    end,
    [13] = function(tree, payload)
        if payload:len() < 8 then return add_table(tree, payload, {}, 8) end
        tree:add_le(fields["preview.number"], payload(0, 7))
        tree:add(fields["preview.level"], payload(7, 1))
        return "level " .. (LEVELS[payload(7, 1):uint()] or "?") .. ", " .. add_records(tree, behind(payload, 8)) .. " records"
    end,
}

-- CRC-32 (IEEE 802.3), reflected, table-driven; of what stands behind a datagram's checksum.
local band, bxor, shift = bit.band, bit.bxor, bit.rshift
local CRC = {}
for index = 0, 255 do
    local value = index
    for _ = 1, 8 do
        value = band(value, 1) == 1 and bxor(shift(value, 1), 0xEDB88320) or shift(value, 1)
    end
    CRC[index] = value
end

local function checksum(buffer)
    local data, value = buffer:bytes(), 0xFFFFFFFF
    for index = 8, data:len() - 1 do
        value = bxor(shift(value, 8), CRC[band(bxor(value, data:get_index(index)), 0xFF)])
    end
    return bit.tohex(bxor(value, 0xFFFFFFFF))
end

-- The datagram -----------------------------------------------------------------------------------------------------------------

function proto.dissector(buffer, info, root)
    if buffer:len() < HEADER or buffer(0, 4):uint() ~= MAGIC then return 0 end
    info.cols.protocol = "SendLearn"
    local kind, flags = buffer(9, 1):uint(), buffer(10, 1):uint()
    local name = KINDS[kind] or "kind " .. kind
    local tree = root:add(proto, buffer(), "Send Learn, " .. name)
    local header = tree:add(proto, buffer(0, HEADER), "Header")
    add_table(header, buffer(0, HEADER), HEADER_TABLE)
    header:add(fields["flags.repeat"], buffer(10, 1))
    header:add(fields["flags.back_fill"], buffer(10, 1))
    header:add(fields["flags.sealed"], buffer(10, 1))
    local sealed = band(flags, 0x80) ~= 0

    local status = 2
    if buffer:reported_len() == buffer:len() then
        local stated = string.format("%08x", buffer(4, 4):le_uint())
        status = checksum(buffer) == stated and 1 or 0
    end
    local shown = header:add(fields["checksum.status"], buffer(4, 4), status)
    shown:set_generated()
    if status == 0 then shown:add_proto_expert_info(damaged) end

    local words
    local payload = behind(buffer, HEADER)
    if buffer(34, 2):le_uint() ~= buffer:reported_len() - HEADER then
        tree:add(fields["malformed"], buffer(34, 2), "the payload length is not that of the datagram"):add_proto_expert_info(shorter)
    elseif not KINDS[kind] then
        tree:add_proto_expert_info(unknown, "Unknown kind of datagram")
    elseif not payload then
        tree:add(fields["malformed"], "no payload"):add_proto_expert_info(shorter)
    else
        local node = tree:add(proto, payload(), "Payload")
        if sealed then
            add_sealed(node, payload, kind)
        elseif PAYLOADS[kind] then
            words = PAYLOADS[kind](node, payload)
        else
            add_table(node, payload, TABLES[kind])
        end
    end
    local how = band(flags, 2) ~= 0 and " back-fill" or band(flags, 1) ~= 0 and " repeat" or ""
    how = how .. (sealed and " (sealed)" or "")
    info.cols.info = name .. how .. (type(words) == "string" and " " .. words or "") .. ", packet " .. buffer(20, 8):le_uint64()
    return buffer:len()
end

proto:register_heuristic("udp", function(buffer, info, root)
    return proto.dissector(buffer, info, root) > 0
end)
