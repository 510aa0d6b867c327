"""Makes small BERT folders with random weights, and what numpy makes of texts with them.

Run by hand; the output is committed as encode/text/bert/testdata. README.md says how.

The network is written down here from its description, in float64, and shares nothing with hone or with tools/minilm: no
batches, no tiles, one text at a time. Tokens come from Hugging Face's tokenizers.
"""

import collections
import json
import math
import pathlib
import shutil
import struct
import sys

import numpy as np
from scipy.special import erf
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

CORPUS = [
    "My card still has not arrived after two weeks, why is it late?",
    "What is the exchange rate for dollars today, and will it change?",
    "Überweisungen nach Österreich dauern zu lange, bitte prüfen Sie das.",
    "Le café était très bon, mais le garçon n'était pas là.",
    "卡片还没有到，我的卡片在哪里？ 今天汇率多少",
    "Привет, как дела? Карта не работает.",
    "query: the quick brown fox jumps over the lazy dog 12345 67890 times!",
] * 3

TEXTS = [
    "", " ", "card", "My CARD has not arrived!", "the rate; of the dollar?", "Überweisung nach ÖSTERREICH", "café cafe\u0301 CAFÉ",
    "卡片到了", "карта КАРТА", "😀 card 😀😀", "a" * 150, "tab\there\nand\r\nthere\u00a0too", "  leading and  trailing  ",
    "e\u0301\u0327 한국어", "12 345,67 €", "don't stop—now…", "what is the exchange rate for dollars today " * 4, "my card " * 40,
]


def corpus_words(t):
    """The words of the corpus and how often each is there, in the order of the alphabet."""
    counts = collections.Counter()
    for text in CORPUS:
        counts.update(word for word, _ in t.pre_tokenizer.pre_tokenize_str(t.normalizer.normalize_str(text)))
    return sorted(counts.items())


def wordpiece(lowercase):
    """Characters, words and parts of words; trained vocabularies are another one each time."""
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pieces = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}
    words = [w for w, _ in corpus_words(t)]
    for piece in sorted({c for w in words for c in w}) + sorted({"##" + c for w in words for c in w[1:]}) + words[::2] + sorted({"##" + w[-2:] for w in words if len(w) > 3}):
        pieces.setdefault(piece, len(pieces))
    t.model = models.WordPiece(pieces, unk_token="[UNK]", max_input_chars_per_word=100)
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return t


def unigram():
    """As XLM-RoBERTa's, which the multilingual models have."""
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    words = corpus_words(t)
    scores = collections.Counter()
    for word, count in words:
        for piece in [*word, *(word[:n] for n in (2, 3, len(word)))]:
            scores[piece] += count
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(p, round(math.log(n / sum(scores.values())), 4)) for p, n in sorted(scores.items())]
    t.model = models.Unigram(pieces, unk_id=3)
    t.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return t


def save_safetensors(path, tensors, kind):
    """Writes a file by its format, and returns the numbers as they are in it."""
    header, body, read = {"__metadata__": {"format": "pt"}}, b"", {}
    for name, x in tensors.items():
        if kind == "BF16":
            bits = np.ascontiguousarray(x, "<f4").view("<u4")
            bits = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2")
            read[name], raw = (bits.astype("<u4") << 16).view("<f4").astype(float), bits.tobytes()
        else:
            rounded = x.astype({"F32": "<f4", "F16": "<f2"}[kind])
            read[name], raw = rounded.astype(float), rounded.tobytes()
        header[name] = {"dtype": kind, "shape": list(x.shape), "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    path.write_bytes(struct.pack("<Q", len(head)) + head + body)
    return read


def random_weights(rng, c):
    w, width = {}, c["hidden_size"]

    def linear(name, out, into):
        w[name + ".weight"], w[name + ".bias"] = rng.normal(0, 1.5 / math.sqrt(into), (out, into)), rng.normal(0, 0.2, out)

    def norm(name):
        w[name + ".weight"], w[name + ".bias"] = rng.normal(1, 0.3, width), rng.normal(0, 0.3, width)

    for name, n in [("word", c["vocab_size"]), ("position", c["max_position_embeddings"]), ("token_type", c["type_vocab_size"])]:
        w[f"embeddings.{name}_embeddings.weight"] = rng.normal(0, 1, (n, width))
    norm("embeddings.LayerNorm")
    for i in range(c["num_hidden_layers"]):
        at = f"encoder.layer.{i}."
        for name in "query", "key", "value":
            linear(f"{at}attention.self.{name}", width, width)
        linear(at + "attention.output.dense", width, width)
        norm(at + "attention.output.LayerNorm")
        linear(at + "intermediate.dense", c["intermediate_size"], width)
        linear(at + "output.dense", width, c["intermediate_size"])
        norm(at + "output.LayerNorm")
    return w


ACTIVATIONS = {
    "gelu": lambda x: x * (1 + erf(x / math.sqrt(2))) / 2,
    "gelu_new": lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
    "relu": lambda x: np.maximum(x, 0),
}


def unit(v):
    return v / np.linalg.norm(v)


class Network:
    def __init__(self, c, w):
        self.c, self.w = c, w

    def linear(self, x, name):
        return x @ self.w[name + ".weight"].T + self.w[name + ".bias"]

    def plain(self, x):
        """A normalisation without gain and bias."""
        centred = x - x.mean(1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(1, keepdims=True) + self.c["layer_norm_eps"])

    def norm(self, x, name):
        return self.plain(x) * self.w[name + ".weight"] + self.w[name + ".bias"]

    def run(self, ids):
        """The last layer, and each layer without the gain and bias of its normalisation."""
        c, w, plain = self.c, self.w, []
        x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][: len(ids)]
        x = self.norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        size = c["hidden_size"] // c["num_attention_heads"]
        for i in range(c["num_hidden_layers"]):
            at = f"encoder.layer.{i}."
            q, k, v = (self.linear(x, f"{at}attention.self.{name}") for name in ("query", "key", "value"))
            heads = []
            for h in range(0, c["hidden_size"], size):
                scores = q[:, h : h + size] @ k[:, h : h + size].T / math.sqrt(size)
                weights = np.exp(scores - scores.max(1, keepdims=True))
                heads.append(weights / weights.sum(1, keepdims=True) @ v[:, h : h + size])
            x = self.norm(x + self.linear(np.hstack(heads), at + "attention.output.dense"), at + "attention.output.LayerNorm")
            inner = ACTIVATIONS[c["hidden_act"]](self.linear(x, at + "intermediate.dense"))
            total = x + self.linear(inner, at + "output.dense")
            plain.append(self.plain(total))
            x = self.norm(total, at + "output.LayerNorm")
        return x, plain


POOLINGS = {"mean": lambda x: x.mean(0), "cls": lambda x: x[0], "max": lambda x: x.max(0)}


def vectors(network, finish, pooling, prefix, pieces, ends, length):
    """The parts of a text's vector: of the middle layers and of the last, over its windows."""
    room = length - len(ends) - len(prefix)
    count = max(1, math.ceil(len(pieces) / room))
    layers = network.c["num_hidden_layers"]
    middle, last = 0, 0
    for i in range(count):
        window = pieces[len(pieces) * i // count : len(pieces) * (i + 1) // count]
        x, plain = network.run([ends[0], *prefix, *window, ends[1]])
        middle = middle + unit(sum(unit(plain[j].mean(0)) for j in range(layers // 3, layers // 3 + max(1, layers // 2))))
        last = last + unit(finish(POOLINGS[pooling](x)))
    return unit(middle), unit(last)


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value) + "\n")


def main(out):
    out = pathlib.Path(out)
    golden = {}
    for seed, (name, tokenizer, kind, layers, heads, inner, activation, pooling, length, prefix) in enumerate([
        ("mean", wordpiece(True), "F32", 3, 2, 64, "gelu", "mean", 40, ""),
        ("cls", wordpiece(False), "F16", 1, 1, 48, "gelu_new", "cls", 24, "query: "),
        ("max", unigram(), "BF16", 4, 2, 400, "relu", "max", 32, ""),
    ]):
        rng = np.random.default_rng(seed)
        folder = out / name
        shutil.rmtree(folder, ignore_errors=True)
        base = folder / ("0_Transformer" if name == "max" else "")
        c = {
            "model_type": "bert", "hidden_size": 32, "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": inner,
            "hidden_act": activation, "layer_norm_eps": [1e-12, 1e-5, 1e-7][seed], "max_position_embeddings": 40, "type_vocab_size": 2,
            "vocab_size": tokenizer.get_vocab_size() + seed,
        }
        write(base / "config.json", c)
        w = random_weights(rng, c)
        named = {"bert." + k: x for k, x in w.items()} if name == "cls" else w
        read = save_safetensors(base / "model.safetensors", named, kind)
        w = {k.removeprefix("bert."): x for k, x in read.items()}
        modules, finish = ["Transformer", "Pooling"], lambda v: v
        if name == "cls":  # vocab.txt, a prefix, a dense layer
            pieces = sorted(tokenizer.get_vocab().items(), key=lambda x: x[1])
            folder.joinpath("vocab.txt").write_text("".join(p + "\n" for p, _ in pieces), encoding="utf-8")
            write(folder / "tokenizer_config.json", {"do_lower_case": False, "model_max_length": length, "tokenizer_class": "BertTokenizer"})
            write(folder / "config_sentence_transformers.json", {"prompts": {"query": prefix, "document": ""}, "default_prompt_name": "query"})
            write(folder / "2_Dense/config.json", {"in_features": 32, "out_features": 40, "bias": True, "activation_function": "torch.nn.modules.activation.Tanh"})
            dense = {"linear.weight": rng.normal(0, 0.2, (40, 32)), "linear.bias": rng.normal(0, 0.2, 40)}
            d = save_safetensors(folder / "2_Dense/model.safetensors", dense, "F32")
            modules.append("Dense")
            finish = lambda v, d=d: np.tanh(d["linear.weight"] @ v + d["linear.bias"])
        else:
            tokenizer.save(str(base / "tokenizer.json"), pretty=False)
            write(base / "sentence_bert_config.json", {"max_seq_length": length, "do_lower_case": False})
        if name == "max":
            write(folder / "1_Pooling/config.json", {"embedding_dimension": 32, "pooling_mode": "max", "include_prompt": True})
        else:
            write(folder / "1_Pooling/config.json", {
                "word_embedding_dimension": 32, "pooling_mode_cls_token": pooling == "cls", "pooling_mode_mean_tokens": pooling == "mean",
                "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False,
            })
        modules.append("Normalize")
        paths = {"Transformer": base.name if name == "max" else "", "Pooling": "1_Pooling", "Dense": "2_Dense", "Normalize": "3_Normalize"}
        write(folder / "modules.json", [
            {"idx": i, "name": str(i), "path": paths[m], "type": "sentence_transformers.models." + m} for i, m in enumerate(modules)])

        network = Network(c, w)
        first, *_, last = tokenizer.encode("card").ids
        before = tokenizer.encode(prefix, add_special_tokens=False).ids
        golden[name] = []
        for text in TEXTS:
            pieces = tokenizer.encode(text, add_special_tokens=False).ids
            middle, final = vectors(network, finish, pooling, before, pieces, (first, last), length)
            golden[name].append({
                "text": text, "pieces": pieces[:24], "middle": [round(float(v), 7) for v in middle], "last": [round(float(v), 7) for v in final]})
            if name == "mean" and len(pieces) < 12:  # the tokens in the layer in the middle
                plain = network.run([first, *pieces, last])[1][(layers + 1) // 2 - 1]
                golden[name][-1]["tokens"] = [[round(float(v), 5) for v in unit(row)] for row in plain[1:-1]]
    lines = ",\n".join(f'"{name}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]" for name, rows in golden.items())
    (out / "golden.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1])
