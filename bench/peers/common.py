"""What the timing scripts share: one core, one thread, the data, the clock."""

import json
import os
import resource
import struct
import sys
import time

for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
    os.environ[name + "_NUM_THREADS"] = "1"
os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
if hasattr(os, "sched_setaffinity"):  # the first core we may use
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

TABLE = os.path.join(os.path.dirname(__file__), "../../encode/text/static/table.bin")


def rows(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def labelled(path):
    """Texts, label numbers and label names of JSON lines."""
    data = rows(path)
    names = sorted({r["label"] for r in data})
    index = {n: i for i, n in enumerate(names)}
    return [r["text"] for r in data], [index[r["label"]] for r in data], names


class Clock:
    """Collects units a second, by the wall and by the processor."""

    def __init__(self):
        self.out = {}

    def rate(self, name, units, f):
        wall, cpu = time.perf_counter(), time.process_time()
        result = f()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        self.out[name + "_per_s"] = units / wall
        self.out[name + "_per_cpu_s"] = units / cpu
        return result

    def print(self, **more):
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.out["rss_mb"] = rss / 1e6 if sys.platform == "darwin" else rss * 1024 / 1e6
        print(json.dumps({**self.out, **more}), flush=True)


def table():
    """The word pieces and vectors in hone's program (tools/distill/table.py)."""
    import numpy as np

    with open(TABLE, "rb") as f:
        data = f.read()
    magic, header = b"honevec\n", 32
    version, n, dim, note, vocabulary = struct.unpack_from("<5I", data, len(magic))
    if not data.startswith(magic) or version != 1:
        raise ValueError(f"{TABLE} is not a table of version 1")

    def up(k):
        return (k + 63) // 64 * 64

    at = header + note
    pieces, text = [], data[at:at + vocabulary]
    while text:
        pieces.append(text[1:1 + text[0]].decode())
        text = text[1 + text[0]:]
    scales_at = up(at + vocabulary)
    rows_at = up(scales_at + 4 * n)
    scales = np.frombuffer(data, "<f4", n, scales_at)
    vectors = np.frombuffer(data, "i1", n * dim, rows_at).reshape(n, dim)
    return pieces, vectors.astype("f4") * scales[:, None]
