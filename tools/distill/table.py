"""The file format of the table; encode/text/static reads it.

    8 bytes  magic "honevec\\n"
    uint32   version, 1
    uint32   n, word pieces
    uint32   d, dimensions
    uint32   bytes of the note
    uint32   bytes of the vocabulary
    uint32   0
    note        licence and origin, UTF-8
    vocabulary  n times: one byte of length, the piece in UTF-8; its place is its id
    zeros up to a multiple of 64
    n float32   scales; 0 for a piece that has no vector
    zeros up to a multiple of 64
    n*d int8    rows; a piece's vector is its row times its scale

Everything is little-endian.
"""

import struct

import numpy as np

MAGIC, VERSION, ALIGN = b"honevec\n", 1, 64


def _pad(data):
    return data + bytes(-len(data) % ALIGN)


def dump(words, rows, scales, note):
    n, d = rows.shape
    assert len(words) == n == len(scales) and rows.dtype == np.int8
    vocabulary = b"".join(bytes([len(b)]) + b for b in (w.encode() for w in words))
    note = note.encode()
    head = MAGIC + struct.pack("<6I", VERSION, n, d, len(note), len(vocabulary), 0)
    return _pad(_pad(head + note + vocabulary) + scales.astype("<f4").tobytes()) + rows.tobytes()


def load(path):
    """Gives words, vectors (n, d) as float32."""
    data = path.read_bytes()
    assert data[:8] == MAGIC, f"{path} is no table"
    version, n, d, note, vocabulary, _ = struct.unpack_from("<6I", data, 8)
    assert version == VERSION, f"{path}: version {version}"
    at, words = 32 + note, []
    for _ in range(n):
        words.append(data[at + 1 : at + 1 + data[at]].decode())
        at += 1 + data[at]
    assert at == 32 + note + vocabulary
    at += -at % ALIGN
    scales = np.frombuffer(data, "<f4", n, at)
    at += 4 * n
    at += -at % ALIGN
    rows = np.frombuffer(data, np.int8, n * d, at).reshape(n, d)
    return words, rows * scales[:, None]
