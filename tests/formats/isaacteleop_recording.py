"""Writes recordings in Isaac Teleop's own format: FlatBuffers in MCAP."""

import struct

import flatbuffers
from mcap.writer import CompressionType, Writer

STEP_NS = 16_666_667


def controller(position, *, quat=(0.0, 0.0, 0.0, 1.0), trigger=0.0, valid=True):
    """One reading of a controller in OpenXR's axes: the two poses and the inputs of `core.ControllerSnapshot`."""
    pose = struct.pack("<7f?3x", *position, *quat, valid)
    return [pose, pose, struct.pack("<4?4f", False, False, False, False, 0.0, 0.0, 0.0, trigger)]


def write_recording(path, steps, *, source="controllers", start_ns=7_000_000_000):
    """Write readings by side, one step after the other; None is a controller that is not there."""
    with path.open("wb") as file:
        writer = Writer(file, compression=CompressionType.NONE)
        writer.start("a test")
        schema = writer.register_schema("core.ControllerSnapshotRecord", "flatbuffer", b"")
        channels = {
            side: writer.register_channel(f"{source}/{side}_controller", "flatbuffer", schema)
            for side in ("left", "right")
        }
        for step, sides in enumerate(steps):
            time_ns = start_ns + step * STEP_NS
            for side, reading in sides.items():
                writer.add_message(channels[side], time_ns, _record(reading, time_ns), time_ns)
        writer.finish()


def _record(structs, time_ns):
    """Table of data (0) and time stamp (1)."""
    builder = flatbuffers.Builder(512)
    data = None
    if structs is not None:
        builder.StartObject(len(structs))
        for slot, value in enumerate(structs):
            builder.PrependStructSlot(slot, _inline(builder, value, 4), 0)
        data = builder.EndObject()
    builder.StartObject(2)
    builder.PrependStructSlot(1, _inline(builder, struct.pack("<3q", time_ns, time_ns, time_ns), 8), 0)
    if data is not None:
        builder.PrependUOffsetTRelativeSlot(0, data, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


def _inline(builder, value, alignment):
    builder.Prep(alignment, len(value))
    builder.head -= len(value)
    builder.Bytes[builder.head : builder.head + len(value)] = value
    return builder.Offset()
