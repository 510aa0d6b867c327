"""Writes what an independent implementation makes of small fine-tunings of the folders with
random weights that tools/bert makes, for the Go tests to compare with.

    python folders.py [--check]

The network is that of tools/bert, in float64 numpy, with low-rank matrices in the last three
layers, and its gradients are by autograd. folders.json has the texts, and for each folder the
losses and the lengths of the gradients. folders.f16 has, as float16, for each folder the gradient
of each low-rank matrix at the first step, divided by its largest number, and the texts' vectors
after the last step. --check compares the gradients with finite differences.
"""

import argparse
import importlib.util
import json
import pathlib
import struct

import autograd.numpy as np
from autograd import value_and_grad
from autograd.scipy.special import erf

from golden import DECAY, RATE, ROOT, STEPS, TEMPERATURE, check, contrast, train

RANK, MOST_LAYERS = 2, 3
# A class of one text, and one of four, of which two are equal.
TEXTS = [
    ("My card has not arrived", 0), ("where is the card", 0), ("the rate today", 1), ("dollars", 1), ("rate; will it change?", 1),
    ("the lazy dog", 2), ("", 0), ("the rate today", 1),
]
MATRICES = ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense", "intermediate.dense", "output.dense"]


def load_bert():
    """tools/bert/golden.py, computing with what autograd can differentiate."""
    spec = importlib.util.spec_from_file_location("bert_golden", ROOT / "tools/bert/golden.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.np, module.erf = np, erf
    return module


bert = load_bert()
FOLDERS = {"mean": (bert.wordpiece(True), ""), "cls": (bert.wordpiece(False), "query: "), "max": (bert.unigram(), "")}


class Adapted(bert.Network):
    """A network with low-rank matrices: A and B of each matrix of the last layers."""

    def __init__(self, c, w):
        super().__init__(c, w)
        layers = c["num_hidden_layers"]
        self.names = [f"encoder.layer.{i}.{name}" for i in range(max(0, layers - MOST_LAYERS), layers) for name in MATRICES]
        self.parts = []

    def linear(self, x, name):
        y = super().linear(x, name)
        if name in self.names and self.parts:
            a, b = self.parts[2 * self.names.index(name) :][:2]
            y = y + x @ a.T @ b
        return y

    def start(self):
        """The low-rank matrices before training, by a formula."""
        parts, at = [], 0
        for name in self.names:
            wide_out, wide_in = self.w[name + ".weight"].shape
            for columns, size, step in ((wide_in, 0.05, 1.7), (wide_out, 0.02, 0.9)):
                i = np.arange(at, at + RANK * columns)
                parts.append((size * np.sin(step * i + 1)).astype(np.float32).astype(np.float64).reshape(RANK, columns))
                at += RANK * columns
        return parts


def read_safetensors(path):
    """The tensors of a file, as float64."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    out = {}
    for name, t in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        raw = data[8 + size + t["data_offsets"][0] : 8 + size + t["data_offsets"][1]]
        if t["dtype"] == "BF16":
            x = (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4")
        else:
            x = np.frombuffer(raw, {"F32": "<f4", "F16": "<f2"}[t["dtype"]])
        out[name.removeprefix("bert.")] = x.astype(np.float64).reshape(t["shape"])
    return out


def vectors(name, network, ids):
    finish = lambda v: v  # noqa: E731
    if name == "cls":
        d = read_safetensors(ROOT / "encode/text/bert/testdata/cls/2_Dense/model.safetensors")
        finish = lambda v: np.tanh(d["linear.weight"] @ v + d["linear.bias"])  # noqa: E731
    rows = [finish(bert.POOLINGS[name](network.run(x)[0])) for x in ids]
    return np.array([v / np.sqrt(np.sum(v * v)) for v in rows])


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--check", action="store_true")
    options = options.parse_args()
    texts, classes = [t for t, _ in TEXTS], [c for _, c in TEXTS]
    golden = {
        "rank": RANK, "steps": STEPS, "learning_rate": RATE, "weight_decay": DECAY, "temperature": TEMPERATURE,
        "texts": texts, "classes": classes, "folders": {},
    }
    numbers = []
    for name, (tokenizer, prefix) in FOLDERS.items():
        folder = ROOT / "encode/text/bert/testdata" / name / ("0_Transformer" if name == "max" else "")
        network = Adapted(json.loads((folder / "config.json").read_text()), read_safetensors(folder / "model.safetensors"))
        first, *_, last = tokenizer.encode("card").ids
        ids = [[first, *tokenizer.encode(prefix + t if t else prefix.strip(), add_special_tokens=False).ids, last] for t in texts]
        print(name, "tokens", [len(x) for x in ids])

        def loss(parts):
            network.parts = parts
            return contrast(vectors(name, network, ids), texts, classes)

        loss_gradient = value_and_grad(loss)
        parts = network.start()
        _, gradient = loss_gradient(parts)
        if options.check:
            check(loss, parts, gradient)
        losses = train(loss_gradient, parts)
        network.parts = parts
        numbers += [np.ravel(g / np.max(np.abs(g))) for g in gradient] + [np.ravel(vectors(name, network, ids))]
        golden["folders"][name] = {"losses": losses, "lengths": [float(np.sqrt(np.sum(g * g))) for g in gradient]}
        print(name, "losses", " ".join(f"{x:.6f}" for x in losses))
    out = ROOT / "encode/text/finetune/testdata"
    (out / "folders.f16").write_bytes(np.concatenate(numbers).astype("<f2").tobytes())
    (out / "folders.json").write_text(json.dumps(golden, indent=1) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
