"""The file format of the transformer's weights; encode/text/minilm reads it.

     8 bytes  magic "honebert"
     uint32   version, 1
     uint32   n, word pieces
     uint32   positions, 256
     uint32   bytes of the note
    32 bytes  SHA-256 of the vocabulary: each piece and a line feed
     note     licence and origin, UTF-8
     zeros up to a multiple of 64
     float32  n scales of the word pieces' rows
              positions*384, position and token type embedding added
              384 + 384, LayerNorm weight and bias
              per layer
                1152 + 1152  scales and biases of query, key and value
                384 + 384    scales and biases of the attention's output
                384 + 384    LayerNorm
                1536 + 1536  scales and biases of the intermediate layer
                1536         what its outputs, after GELU, are multiplied with
                384 + 384    scales and biases of the output
                384 + 384    LayerNorm
     zeros up to a multiple of 64
     int8     n*384 rows of the word pieces
     int8     per layer 288 tiles
                72  query, key, value
                24  attention's output
                4 times, for a quarter of the intermediate layer
                  24 its weights, 24 the output's weights of its columns

A tile holds the weights from 384 inputs to 16 outputs, (384, 16). The weight from
input i to output o is the tile's number times the scale of o, and for the output
layer times the factor of i that GELU's results were not yet multiplied with: the
factors make columns alike, so that a row's one scale suits them all. Everything is
little-endian.
"""

import hashlib
import struct

import numpy as np

MAGIC, VERSION, ALIGN = b"honebert", 1, 64
LAYERS, WIDTH, INNER, POSITIONS = 6, 384, 1536, 256
TILE = 16


def _pad(data):
    return data + bytes(-len(data) % ALIGN)


def vocabulary_sum(words):
    return hashlib.sha256("".join(w + "\n" for w in words).encode()).digest()


def quantize(w):
    """int8 with one scale a row: (q, scales)."""
    scale = np.abs(w).max(1) / 127
    scale[scale == 0] = 1
    return np.rint(w / scale[:, None]).astype(np.int8), scale.astype(np.float32)


def tiles(q):
    """(outputs, 384) as tiles, (outputs/16, 384, 16)."""
    return q.reshape(-1, TILE, WIDTH).transpose(0, 2, 1)


def untiles(t):
    return t.transpose(0, 2, 1).reshape(-1, WIDTH)


def layer_names(layer):
    p = f"encoder.layer.{layer}."
    return (
        [p + f"attention.self.{part}" for part in ("query", "key", "value")],
        p + "attention.output.dense",
        p + "attention.output.LayerNorm",
        p + "intermediate.dense",
        p + "output.dense",
        p + "output.LayerNorm",
    )


def dump(w, words, note):
    """The file's bytes from the reference's tensors by name."""
    rows, scales = quantize(w["embeddings.word_embeddings.weight"])
    assert len(words) == len(rows)
    floats = [
        scales,
        w["embeddings.position_embeddings.weight"][:POSITIONS] + w["embeddings.token_type_embeddings.weight"][0],
        w["embeddings.LayerNorm.weight"],
        w["embeddings.LayerNorm.bias"],
    ]
    ints = [rows]
    for layer in range(LAYERS):
        qkv, out, norm1, inner, out2, norm2 = layer_names(layer)
        q, s = quantize(np.concatenate([w[n + ".weight"] for n in qkv]))
        floats += [s, np.concatenate([w[n + ".bias"] for n in qkv])]
        ints.append(tiles(q))
        q, s = quantize(w[out + ".weight"])
        floats += [s, w[out + ".bias"], w[norm1 + ".weight"], w[norm1 + ".bias"]]
        ints.append(tiles(q))
        q1, s = quantize(w[inner + ".weight"])
        last = w[out2 + ".weight"]
        factor = np.sqrt(np.abs(last).max(0) / np.abs(last).max()).astype(np.float32)
        floats += [s, w[inner + ".bias"], factor]
        q2, s = quantize(last / factor)
        floats += [s, w[out2 + ".bias"], w[norm2 + ".weight"], w[norm2 + ".bias"]]
        for at in range(0, INNER, WIDTH):
            ints += [tiles(q1[at : at + WIDTH]), tiles(q2[:, at : at + WIDTH])]
    note = note.encode()
    head = MAGIC + struct.pack("<4I", VERSION, len(words), POSITIONS, len(note)) + vocabulary_sum(words) + note
    data = _pad(_pad(head) + b"".join(f.astype("<f4").tobytes() for f in floats))
    return data + b"".join(i.tobytes() for i in ints)


def load(path):
    """The tensors by name, as float32, that the file stands for."""
    data = path.read_bytes()
    version, n, positions, note = struct.unpack_from("<4I", data, 8)
    assert data[:8] == MAGIC and version == VERSION and positions == POSITIONS, f"{path}: other weights"
    at = len(_pad(data[: 56 + note]))

    def floats(*shape):
        nonlocal at
        size = int(np.prod(shape))
        f = np.frombuffer(data, "<f4", size, at).reshape(shape)
        at += 4 * size
        return f

    scales, w = floats(n), {}
    w["embeddings.position_embeddings.weight"] = floats(POSITIONS, WIDTH)
    w["embeddings.token_type_embeddings.weight"] = np.zeros((2, WIDTH), np.float32)
    w["embeddings.LayerNorm.weight"], w["embeddings.LayerNorm.bias"] = floats(WIDTH), floats(WIDTH)
    sizes = [3 * WIDTH] * 2 + [WIDTH] * 4 + [INNER] * 3 + [WIDTH] * 4
    per_layer = [[floats(s) for s in sizes] for _ in range(LAYERS)]
    at += -at % ALIGN

    def ints(*shape):
        nonlocal at
        size = int(np.prod(shape))
        i = np.frombuffer(data, np.int8, size, at).reshape(shape)
        at += size
        return i

    w["embeddings.word_embeddings.weight"] = ints(n, WIDTH) * scales[:, None]
    square = (WIDTH // TILE, WIDTH, TILE)
    for layer in range(LAYERS):
        qkv, out, norm1, inner, out2, norm2 = layer_names(layer)
        s_qkv, b_qkv, s_out, b_out, w1, b1, s_inner, b_inner, factor, s_out2, b_out2, w2, b2 = per_layer[layer]
        weight = untiles(ints(3 * WIDTH // TILE, WIDTH, TILE)) * s_qkv[:, None]
        for i, name in enumerate(qkv):
            w[name + ".weight"], w[name + ".bias"] = weight[i * WIDTH :][:WIDTH], b_qkv[i * WIDTH :][:WIDTH]
        w[out + ".weight"], w[out + ".bias"] = untiles(ints(*square)) * s_out[:, None], b_out
        w[norm1 + ".weight"], w[norm1 + ".bias"] = w1, b1
        quarters = [(untiles(ints(*square)), untiles(ints(*square))) for _ in range(INNER // WIDTH)]
        w[inner + ".weight"] = np.concatenate([a for a, _ in quarters]) * s_inner[:, None]
        w[inner + ".bias"] = b_inner
        w[out2 + ".weight"] = np.concatenate([b for _, b in quarters], 1) * s_out2[:, None] * factor
        w[out2 + ".bias"] = b_out2
        w[norm2 + ".weight"], w[norm2 + ".bias"] = w2, b2
    assert at == len(data)
    return w
