"""Writes what an independent implementation makes of a small fine-tuning, for the Go tests
to compare with.

    python golden.py [--check]

The network is in float64 numpy, its gradients by autograd, which differentiates numpy. The
weights are those that encode/text/minilm/weights.bin stands for. golden.json has the batch,
the losses and the lengths of the gradients. golden.f16 has, as float16, the gradient of each
low-rank matrix at the first step, divided by its largest number, and the texts' vectors after
the last step. --check compares the gradients with finite differences.
"""

import argparse
import json
import pathlib
import sys

import autograd.numpy as np
from autograd import value_and_grad
from autograd.scipy.special import erf
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path += [str(HERE.parent / "distill"), str(HERE.parent / "minilm")]

import minilm  # noqa: E402
import weights  # noqa: E402

LAYERS, RANK, HEADS, WIDTH, INNER = (3, 4, 5), 2, 12, 384, 1536
STEPS, RATE, DECAY, TEMPERATURE = 5, 3e-3, 0.01, 0.1
# A class of one text, and one of four, of which two are equal.
TEXTS = [
    ("I still have not received my new card", 0),
    ("where is the card that you sent me?", 0),
    ("What is the exchange rate today?", 1),
    ("how many dollars do I get for a euro", 1),
    ("rate", 1),
    ("my payment was declined again, and nobody tells me why that is so", 2),
    ("", 0),
    ("What is the exchange rate today?", 1),
]
MATRICES = [
    ("attention.self.query", WIDTH, WIDTH),
    ("attention.self.key", WIDTH, WIDTH),
    ("attention.self.value", WIDTH, WIDTH),
    ("attention.output.dense", WIDTH, WIDTH),
    ("intermediate.dense", WIDTH, INNER),
    ("output.dense", INNER, WIDTH),
]


def start():
    """The low-rank matrices before training, A and B of each matrix, by a formula."""
    parts, at = [], 0
    for _ in LAYERS:
        for _, wide_in, wide_out in MATRICES:
            for columns, size, step in ((wide_in, 0.05, 1.7), (wide_out, 0.02, 0.9)):
                i = np.arange(at, at + RANK * columns)
                parts.append((size * np.sin(step * i + 1)).astype(np.float32).astype(np.float64).reshape(RANK, columns))
                at += RANK * columns
    return parts


def norm(x, w, name):
    x = x - np.mean(x, -1, keepdims=True)
    return x / np.sqrt(np.mean(x * x, -1, keepdims=True) + 1e-12) * w[name + ".weight"] + w[name + ".bias"]


def vector(x, w, parts):
    """The normalised mean of the last layer, from the states of the first three."""
    for number, layer in enumerate(LAYERS):
        prefix = f"encoder.layer.{layer}."

        def linear(x, matrix):
            name = prefix + MATRICES[matrix][0]
            a, b = parts[2 * (number * len(MATRICES) + matrix) :][:2]
            return x @ w[name + ".weight"].T + x @ a.T @ b + w[name + ".bias"]

        q, k, v = (np.transpose(np.reshape(linear(x, m), (len(x), HEADS, -1)), (1, 0, 2)) for m in range(3))
        scores = q @ np.transpose(k, (0, 2, 1)) / np.sqrt(WIDTH / HEADS)
        scores = np.exp(scores - np.max(scores, -1, keepdims=True))
        mixed = (scores / np.sum(scores, -1, keepdims=True)) @ v
        mixed = np.reshape(np.transpose(mixed, (1, 0, 2)), (len(x), WIDTH))
        x = norm(x + linear(mixed, 3), w, prefix + "attention.output.LayerNorm")
        h = linear(x, 4)
        h = h * 0.5 * (1 + erf(h / np.sqrt(2)))
        x = norm(x + linear(h, 5), w, prefix + "output.LayerNorm")
    mean = np.mean(x, 0)
    return mean / np.sqrt(np.sum(mean * mean))


def contrast(vectors, texts, classes):
    """The supervised contrastive loss (Khosla et al. 2020, equation 2) without pairs of
    equal texts, a mean over the texts that are not alone in their class."""
    n, losses = len(classes), []
    s = vectors @ vectors.T / TEMPERATURE
    for i in range(n):
        pairs = [j for j in range(n) if texts[j] != texts[i]]
        same = [j for j in pairs if classes[j] == classes[i]]
        if same:
            others = np.array([s[i, j] for j in pairs])
            most = np.max(others)
            losses.append(most + np.log(np.sum(np.exp(others - most))) - sum(s[i, j] for j in same) / len(same))
    return sum(losses) / len(losses)


def train(loss_gradient, parts):
    """AdamW (Loshchilov & Hutter 2019) with a warm-up of one step and then a cosine."""
    first, second, losses = [0 * p for p in parts], [0 * p for p in parts], []
    for step in range(1, STEPS + 1):
        loss, gradient = loss_gradient(parts)
        losses.append(float(loss))
        rate = RATE if step == 1 else RATE * 0.5 * (1 + np.cos(np.pi * (step - 2) / (STEPS - 1)))
        for i, g in enumerate(gradient):
            first[i] = 0.9 * first[i] + 0.1 * g
            second[i] = 0.999 * second[i] + 0.001 * g * g
            m, v = first[i] / (1 - 0.9**step), second[i] / (1 - 0.999**step)
            parts[i] = parts[i] - rate * DECAY * parts[i] - rate * m / (np.sqrt(v) + 1e-8)
    return losses


def check(loss, parts, gradient):
    worst = 0.0
    for i, g in enumerate(gradient):
        along, by = g / np.sqrt(np.sum(g * g)), 1e-4

        def at(shift):
            return loss([p + shift * along if i == j else p for j, p in enumerate(parts)])

        slope, length = (at(by) - at(-by)) / (2 * by), np.sqrt(np.sum(g * g))
        worst = max(worst, abs(slope / length - 1))
    print(f"finite differences: the largest relative difference over {len(gradient)} matrices is {worst:.1e}")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--check", action="store_true")
    options.add_argument("--model", help="directory of model.safetensors and vocab.txt")
    options = options.parse_args()
    folder = minilm.model_dir(options.model)
    words = minilm.read_vocabulary(folder)
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    base = minilm.MiniLM(folder)
    base.w = {k: v.astype(np.float64) for k, v in weights.load(ROOT / "encode/text/minilm/weights.bin").items()}
    states, classes = [], [c for _, c in TEXTS]
    for text, _ in TEXTS:
        ids = [words.index("[CLS]"), *tokenizer.encode(text).ids, words.index("[SEP]")]
        states.append(base.states(np.array([ids]))[LAYERS[0] - 1][0])

    def vectors(parts):
        return np.array([vector(x, base.w, parts) for x in states])

    def loss(parts):
        return contrast(vectors(parts), [t for t, _ in TEXTS], classes)

    loss_gradient = value_and_grad(loss)
    parts = start()
    _, gradient = loss_gradient(parts)
    if options.check:
        check(loss, parts, gradient)
    losses = train(loss_gradient, parts)
    after = vectors(parts)
    numbers = [np.ravel(g / np.max(np.abs(g))) for g in gradient] + [np.ravel(after)]
    out = ROOT / "encode/text/finetune/testdata"
    (out / "golden.f16").write_bytes(np.concatenate(numbers).astype("<f2").tobytes())
    golden = {
        "rank": RANK, "steps": STEPS, "learning_rate": RATE, "weight_decay": DECAY, "temperature": TEMPERATURE,
        "texts": [t for t, _ in TEXTS], "classes": classes, "losses": losses,
        "lengths": [float(np.sqrt(np.sum(g * g))) for g in gradient],
    }
    (out / "golden.json").write_text(json.dumps(golden, indent=1) + "\n", encoding="ascii")
    print("losses", " ".join(f"{x:.6f}" for x in losses))


if __name__ == "__main__":
    main()
