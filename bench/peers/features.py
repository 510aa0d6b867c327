"""Reads what tools/features prints."""

import subprocess

import numpy as np
from scipy.sparse import csr_matrix

BUCKETS, WIDE = 2**18, 2**12


def read_features(program, encoder, vectors, path):
    """The hashed part of the texts of a file, sparse, and the dense parts by their kind."""
    command = [program, "-encoder", encoder] + (["-vectors", vectors] if vectors else [])
    kinds = subprocess.run([program, "-encoder", encoder, "-parts"], capture_output=True, text=True, check=True).stdout.split()
    with open(path, encoding="utf-8") as f:
        out = subprocess.run(command, stdin=f, capture_output=True, text=True, check=True).stdout
    at, ids, values = [0], [], []
    for line in out.splitlines():
        pairs = np.fromstring(line.replace(":", " "), sep=" ").reshape(-1, 2)
        ids.append(pairs[:, 0].astype(np.int64))
        values.append(pairs[:, 1])
        at.append(at[-1] + len(pairs))
    all = csr_matrix((np.concatenate(values), np.concatenate(ids), at), shape=(len(at) - 1, BUCKETS + len(kinds) * WIDE))
    dense = {}
    for k, kind in enumerate(kinds):
        part = all[:, BUCKETS + k * WIDE:BUCKETS + (k + 1) * WIDE].toarray()
        dense[kind] = part[:, :1 + int(np.flatnonzero(part.any(axis=0)).max(initial=0))]
    return all[:, :BUCKETS].tocsr(), dense
