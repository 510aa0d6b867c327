"""Makes small Model2Vec folders and what the reference makes of texts with them.

Run by hand; the output is committed as encode/text/model2vec/testdata:

    python -m venv env && env/bin/pip install model2vec==0.10.0 sentencepiece==0.2.3 protobuf
    env/bin/python tools/model2vec/golden.py encode/text/model2vec/testdata

Names of special tokens in a text are left out: to the reference they are those
tokens, to hone they are text like any other. Vectors are random, so that a token that is read wrongly shows.
"""

import importlib.metadata
import json
import pathlib
import sys
import tempfile

import numpy as np
import sentencepiece
from model2vec import StaticModel
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

CORPUS = [
    "My card still has not arrived after two weeks, why is it late?",
    "What is the exchange rate for dollars today, and will it change?",
    "Überweisungen nach Österreich dauern zu lange, bitte prüfen Sie das.",
    "Le café était très bon, mais le garçon n'était pas là.",
    "卡片还没有到，我的卡片在哪里？ 今天汇率多少",
    "Привет, как дела? Карта не работает.",
    "The quick brown fox jumps over the lazy dog 12345 67890 times!",
] * 3

TEXTS = [
    "", " ", "card", "My CARD has not arrived!", "the rate; of the dollar?", "Überweisung nach ÖSTERREICH",
    "café cafe\u0301 CAFÉ", "卡片到了", "карта КАРТА", "😀 card 😀😀", "a" * 150, "x" * 90 + " card",
    "tab\there\nand\r\nthere\u00a0too", "  leading and trailing  ", "two  spaces   three", "[ card ]",
    "ﬁne ① Ａ", "ΣΊΓΜΑΣ İstanbul", "e\u0301\u0327", "한국어 카드", "\u200bzero\u200dwidth\ufeff", "12 345,67 €",
    "card " * 700, "don't stop—now…", "ﷺ", "▁card▁", "ＡＢＣ ①②",
]

DIM = 8


def vectors(rng, n):
    return rng.standard_normal((n, DIM)).astype(np.float32)


def wordpiece(lowercase):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=260, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"]))
    return t


def wordlevel():
    t = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace("!", " ! ")])
    t.pre_tokenizer = pre_tokenizers.Whitespace()
    t.train_from_iterator(CORPUS, trainers.WordLevelTrainer(special_tokens=["[UNK]"]))
    return t


def charsmap():
    """A small table of replacements, as SentencePiece compiles it."""
    with tempfile.TemporaryDirectory() as d:
        rules = pathlib.Path(d, "rules.tsv")
        rules.write_text("".join(
            " ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b) + "\n"
            for a, b in [("ﬁ", "fi"), ("①", "1"), ("Ａ", "A"), ("e\u0301", "é"), ("\u00a0", " "), ("\t", " "), ("\n", " "), ("ﷺ", "صلى"), ("\u200b", "")]
        ))
        pathlib.Path(d, "corpus.txt").write_text("\n".join(CORPUS))
        sentencepiece.SentencePieceTrainer.train(
            input=str(pathlib.Path(d, "corpus.txt")), model_prefix=str(pathlib.Path(d, "m")), vocab_size=125,
            normalization_rule_tsv=str(rules), minloglevel=2)
        m = sentencepiece_model_pb2.ModelProto()
        m.ParseFromString(pathlib.Path(d, "m.model").read_bytes())
        return m.normalizer_spec.precompiled_charsmap, [(p.piece, p.score) for p in m.pieces]


def unigram():
    table, pieces = charsmap()
    t = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=False))
    t.normalizer = normalizers.Sequence([
        normalizers.Precompiled(table), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip(),
    ])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    return t


def main(out):
    golden = {"model2vec": importlib.metadata.version("model2vec"), "folders": {}}
    for seed, (name, tokenizer, dtype, quantized, length) in enumerate([
        ("uncased", wordpiece(True), np.float32, False, 512),
        ("cased", wordpiece(False), np.float16, True, 512),
        ("unigram", unigram(), np.int8, False, 16),
        ("words", wordlevel(), np.float32, True, None),
    ]):
        rng = np.random.default_rng(seed)
        n = tokenizer.get_vocab_size()
        x, weights, mapping = vectors(rng, n), None, None
        if quantized:
            x = vectors(rng, n // 2)
            weights = rng.random(n)
            mapping = rng.integers(0, n // 2, n)
        if dtype == np.int8:
            x = np.clip(x * 40, -127, 127)
        model = StaticModel(x.astype(dtype), tokenizer, weights=weights, token_mapping=mapping, normalize=True, max_length=length)
        folder = pathlib.Path(out, name)
        model.save_pretrained(folder)
        for extra in ["README.md", "modules.json"]:
            folder.joinpath(extra).unlink(missing_ok=True)
        loaded = StaticModel.from_pretrained(folder)
        golden["folders"][name] = [
            {"text": t, "tokens": loaded.tokenize([t[: 10**9]])[0][:20], "vector": [round(float(v), 6) for v in loaded.encode(t)]} for t in TEXTS
        ]
    pathlib.Path(out, "golden.json").write_text(json.dumps(golden, ensure_ascii=True, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
