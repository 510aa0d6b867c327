"""Writes encode/text/static/mean.bin: the mean vector of texts of several kinds.

    python mean.py FILE.jsonl.gz...

A line is {"text": ...} or {"tokens": [...]}. Each file counts the same, by its first
3,000 texts. What all texts share, mostly its function words, says nothing of any one
of them; the encoder takes it off.
"""

import gzip
import json
import pathlib
import sys

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

import table

TEXTS = 3000


def main():
    folder = pathlib.Path(__file__).resolve().parents[2] / "encode/text/static"
    words, vectors = table.load(folder / "table.bin")
    reference = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]", max_input_chars_per_word=100))
    reference.normalizer = normalizers.BertNormalizer(lowercase=True)
    reference.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    means = []
    for path in sys.argv[1:]:
        directions = []
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                v = vectors[reference.encode(row.get("text") or " ".join(row["tokens"])).ids].astype(np.float64).sum(0)
                if length := np.linalg.norm(v):
                    directions.append(v / length)
                if len(directions) == TEXTS:
                    break
        means.append(np.mean(directions, 0))
        print(f"{path}: {len(directions)} texts, mean of length {np.linalg.norm(means[-1]):.3f}")
    mean = np.mean(means, 0)
    (folder / "mean.bin").write_bytes(mean.astype("<f4").tobytes())
    print(f"mean.bin: length {np.linalg.norm(mean):.3f}")


if __name__ == "__main__":
    main()
