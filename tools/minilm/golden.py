"""Writes what the reference makes of 300 texts, for the Go tests to compare with.

    python golden.py [--model DIR]

golden.jsonl has the texts with their numbers of word pieces. golden.f16 has two
vectors a text, 384 float16 each: by the reference's own float32 weights, and by the
weights that weights.bin stands for, which tells rounding weights and computing with
them apart. middle.f16 has the vector of the middle layers by the latter weights, 384
float16 a text. tokens.f16 has the last layer by the latter weights for every token of
the texts marked "tokens".
"""

import argparse
import json
import pathlib
import random
import sys

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.append(str(HERE.parent / "distill"))

import minilm  # noqa: E402
import weights  # noqa: E402


def distill_golden():
    """tools/distill/golden.py, which has this one's name."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("distill_golden", HERE.parent / "distill/golden.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CODE = [
    'if err := json.Unmarshal(data, &v); err != nil {\n\treturn fmt.Errorf("reading %s: %w", name, err)\n}',
    "for i, (x, y) in enumerate(zip(a, b)):\n    total[i % 8] += x * y  # lanes",
    "Traceback (most recent call last):\n  File \"app.py\", line 12, in <module>\n    main()\nKeyError: 'user_id'",
    "git rebase -i HEAD~3 && git push --force-with-lease origin feature/encoder",
    "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:",
    "CREATE INDEX CONCURRENTLY idx_task_project ON task (project_id, updated_at DESC) WHERE is_labeled;",
]


def choose():
    """The 300 texts, and which of them have their tokens kept."""
    other = distill_golden()
    with open(ROOT / "data/clinc10/tasks.jsonl", encoding="utf-8") as f:
        spoken = [json.loads(line) for line in f]
    spoken = [row.get("text") or row["data"]["text"] for row in spoken]
    rng = random.Random(5)
    rng.shuffle(spoken)
    texts = other.WRITTEN + CODE + spoken[:120]
    while len(texts) < 240:  # a paragraph of several sentences
        texts.append(". ".join(rng.sample(spoken, rng.randrange(2, 9))).capitalize() + ".")
    texts += other.drawn(rng, 50)
    for sentences in (25, 29, 31, 33, 45, 60, 120):  # about the limit, and beyond it
        texts.append(" ".join(rng.sample(spoken, sentences)))
    texts += ["word " * 253, "word " * 254, "word " * 255]
    assert len(texts) == 300, len(texts)
    tokens = {"", "Hello, world!", "I ❤️ you ❤ \u2764\ufe0e", "東京タワーに行きました。カタカナ ひらがな ｶﾀｶﾅ ＦＵＬＬ"}
    return texts, [t in tokens or t == spoken[0] for t in texts]


def unit(v):
    return v / np.linalg.norm(v)


def encode(model, ids):
    """The last layer, and the sentence's vectors of the last and of the middle layers:
    the mean of layers 3, 4 and 5, each normalised without gain and bias, averaged over
    the tokens and brought to length 1."""
    states = model.states(np.array([ids]))
    middle = np.zeros(minilm.WIDTH)
    for layer in (2, 3, 4):
        name = f"encoder.layer.{layer}.output.LayerNorm"
        plain = (states[layer][0].astype(np.float64) - model.w[name + ".bias"]) / model.w[name + ".weight"]
        middle += unit(plain.mean(0))
    hidden = states[-1][0]
    return hidden, unit(hidden.mean(0, dtype=np.float64)), unit(middle)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--model", help="directory of model.safetensors and vocab.txt")
    folder = minilm.model_dir(options.parse_args().model)
    words = minilm.read_vocabulary(folder)
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    full, rounded = minilm.MiniLM(folder), minilm.MiniLM(folder)
    rounded.w = weights.load(ROOT / "encode/text/minilm/weights.bin")

    rows, vectors, middles, tokens, cosines = [], [], [], [], []
    for text, keep in zip(*choose()):
        pieces = tokenizer.encode(text).ids
        ids = [words.index("[CLS]"), *pieces[: weights.POSITIONS - 2], words.index("[SEP]")]
        _, a, _ = encode(full, ids)
        hidden, b, middle = encode(rounded, ids)
        rows.append({"text": text, "pieces": len(pieces)} | ({"tokens": True} if keep else {}))
        vectors += [a, b]
        middles.append(middle)
        tokens += list(hidden) if keep else []
        cosines.append(a @ b)
    folder = ROOT / "encode/text/minilm/testdata"
    folder.mkdir(exist_ok=True)
    with open(folder / "golden.jsonl", "w", encoding="ascii") as f:
        for row in rows:
            f.write(json.dumps(row) + "\n")
    (folder / "golden.f16").write_bytes(np.array(vectors).astype("<f2").tobytes())
    (folder / "middle.f16").write_bytes(np.array(middles).astype("<f2").tobytes())
    (folder / "tokens.f16").write_bytes(np.array(tokens).astype("<f2").tobytes())
    print(len(rows), "texts,", sum(min(r["pieces"], 254) + 2 for r in rows), "tokens,", len(tokens), "kept")
    print("cosine of int8 with float32 weights: least %.5f, median %.5f" % (min(cosines), np.median(cosines)))


if __name__ == "__main__":
    main()
