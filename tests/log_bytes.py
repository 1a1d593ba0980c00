"""A log's bytes, taken apart and changed, its checksums right."""
import struct
import subprocess

EVENTS = 1  # a chunk's type


def chunks(data):
    """(offset, type, header bytes, payload bytes) of each."""
    at = 64
    while at < len(data):
        kind, header_bytes, payload_bytes = data[at + 4], *struct.unpack_from("<HI", data, at + 6)
        yield at, kind, header_bytes, payload_bytes
        at += header_bytes + payload_bytes


def checksum(data):
    got = subprocess.run(["xxhsum", "-H1", "-"], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    return int(got.stdout.split()[0], 16)


def with_payload(data, chunk, payload):
    """The log with this in place of the chunk's payload."""
    at, _, header_bytes, old_bytes = chunk
    header = bytearray(data[at:at + header_bytes])
    struct.pack_into("<I", header, 8, len(payload))
    struct.pack_into("<Q", header, 48, checksum(payload))
    struct.pack_into("<Q", header, 56, checksum(bytes(header[:56])))
    return data[:at] + header + payload + data[at + header_bytes + old_bytes:]
