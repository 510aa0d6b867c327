"""Makes the table of static word-piece vectors from all-MiniLM-L6-v2.

    python distill.py [--model DIR] [--cache FILE.npy] [--out FILE]

See README.md. Every entry of the vocabulary goes through the transformer once,
between [CLS] and [SEP]; the mean of the last layer is its vector. Less the mean
over the vocabulary, rotated to the 256 directions of most variance, weighted
down by frequency, and rounded to int8 with one scale a row.
"""

import argparse
import hashlib
import pathlib
import time

import numpy as np

import minilm
import table

DIMS = 256
# Smooth inverse frequency (Arora, Liang & Ma 2017): a/(a+p). BERT's vocabulary is
# ordered by frequency from "the" on, so Zipf's law with the rank among words stands
# in for p. Before "the" are placeholders and single characters in the order of their
# code points: those are all weighted as a word of rank 20.
A = 1e-3
SINGLE = 20
NOTE = """Static word-piece vectors, distilled from sentence-transformers/all-MiniLM-L6-v2
(https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2), Apache License 2.0,
whose vocabulary is that of BERT base uncased (google-research/bert), Apache License 2.0.
Changed: every word piece encoded alone, 256 principal components, weighted by
frequency rank, rounded to int8. Made by tools/distill.
"""


def embed(folder, words):
    model, rows = minilm.MiniLM(folder), np.zeros((len(words), minilm.WIDTH), np.float32)
    cls, sep = words.index("[CLS]"), words.index("[SEP]")
    start = time.monotonic()
    for i in range(0, len(words), 256):
        ids = np.array([[cls, j, sep] for j in range(i, min(i + 256, len(words)))])
        rows[i : i + 256] = model.hidden(ids).mean(1)
        if i % 4096 == 0:
            print(f"{i}/{len(words)} pieces, {time.monotonic() - start:.0f} s", flush=True)
    return rows


def special(word):
    """Entries that stand for no text. [UNK] is among them: a word of which
    nothing is known should say nothing."""
    return word.startswith("[unused") or word in ("[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]")


def compress(words, rows):
    """Gives int8 rows (n, 256), scales, and the share of variance kept."""
    skip = np.array([special(w) for w in words])
    x = rows.astype(np.float64)
    x -= x[~skip].mean(0)
    values, axes = np.linalg.eigh(x[~skip].T @ x[~skip])
    order = np.argsort(values)[::-1][:DIMS]
    axes = axes[:, order]
    axes *= np.sign(axes[np.abs(axes).argmax(0), np.arange(DIMS)])  # any sign would do; one is reproducible
    z = x @ axes

    rank = np.arange(len(words)) - words.index("the") + 1.0
    rank[rank < 1] = SINGLE
    p = 1 / (rank + 1)
    p /= p[~skip].sum()
    z *= (A / (A + p))[:, None]
    z[skip] = 0

    scales = np.abs(z).max(1) / 127
    scales = scales.astype(np.float32)
    int8 = np.round(z / np.where(scales == 0, 1, scales)[:, None]).astype(np.int8)
    return int8, scales, values[order].sum() / values.sum()


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--model", help="directory of model.safetensors and vocab.txt; by default the installed package's")
    args.add_argument("--cache", type=pathlib.Path, help="keep the transformer's output here, to try other weightings")
    args.add_argument("--out", type=pathlib.Path, default=root / "encode/text/static/table.bin")
    args = args.parse_args()

    folder = minilm.model_dir(args.model)
    words = minilm.read_vocabulary(folder)
    if args.cache and args.cache.exists():
        rows = np.load(args.cache)
    else:
        rows = embed(folder, words)
        if args.cache:
            np.save(args.cache, rows)
    int8, scales, kept = compress(words, rows)
    data = table.dump(words, int8, scales, NOTE)
    args.out.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    args.out.with_name(args.out.name + ".sha256").write_text(f"{digest}  {args.out.name}\n")
    print(f"{args.out}: {len(data)} bytes, {len(words)} pieces, {DIMS} dimensions, {kept:.4f} of the variance")


if __name__ == "__main__":
    main()
