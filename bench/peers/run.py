"""Times hone and its peers on the same texts in the same run, and writes a table.

    make bench-speed               made-up news, 40 words a text, four classes
    make bench-speed DATA=DIR      DIR/train.jsonl[.gz] instead, and for tagging
                                   DIR/ner.jsonl[.gz] if it is there

Everything runs on one core, one thing after the other; what is compared takes
turns, in ROUNDS rounds, and the median counts. Ratios are of texts per second of
processor time, which other work on the machine changes less than the wall's.
"""

import argparse
import datetime
import gzip
import importlib.metadata
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys

from markdown_table import table

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGES = ("vowpalwabbit", "river", "scikit-learn", "model2vec", "sklearn-crfsuite", "onnxruntime", "label-studio-sdk")


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def measure(command, timeout=900):
    """The JSON object on the last line of what a command prints; None if it failed."""
    say("  " + " ".join(pathlib.Path(c).name if "/" in c else c for c in command))
    got = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout)
    if got.returncode:
        say(got.stderr[-2000:])
        return None
    return json.loads(got.stdout[got.stdout.index("{"):])


def hone(args, data, encoder, *more):
    return measure([args.hone, "bench", "--data", data, "--encoder", encoder, "--for", args.seconds, "--json", "-", *more])


def peer(script, *arguments):
    return measure([sys.executable, str(HERE / script), *arguments])


def median(results):
    """Of every figure of several results."""
    results = [r for r in results if r]
    if not results:
        return {}
    return {k: statistics.median(r[k] for r in results) if isinstance(v, (int, float)) else v for k, v in results[0].items()}


def number(v):
    return "–" if v is None else f"{v:,.0f}".replace(",", " ") if v >= 100 else f"{v:.3g}"


def ratio(a, b):
    return "–" if not a or not b else f"{a / b:.2f}" if a / b < 10 else f"{a / b:.0f}"


def unpacked(folder, name, to):
    """A file of the folder, unpacked if it is gzipped; None if it is not there."""
    plain, packed = pathlib.Path(folder, name), pathlib.Path(folder, name + ".gz")
    if packed.exists():
        with gzip.open(packed) as f, open(to, "wb") as out:
            shutil.copyfileobj(f, out)
        return str(to)
    return str(plain) if plain.exists() else None


def classifiers(h, p):
    """Texts per second of processor time, hone's over each peer's."""
    pairs = [
        ("Vowpal Wabbit, `--oaa --ngram 2 --probabilities`", "vw", "words", "learn"),
        ("Vowpal Wabbit, `--oaa --ngram 2 --probabilities`", "vw", "words", "predict"),
        ("Vowpal Wabbit, the same, beside character n-grams too", "vw", "hashed", "learn"),
        ("Vowpal Wabbit, the same, beside character n-grams too", "vw", "hashed", "predict"),
        ("river, 1-2-grams, softmax", "river", "words", "learn"),
        ("river, 1-2-grams, softmax", "river", "words", "predict"),
        ("scikit-learn, hashed 1-2-grams, SGD, one by one", "sklearn_1", "words", "learn"),
        ("scikit-learn, hashed 1-2-grams, SGD, one by one", "sklearn_1", "words", "predict"),
        ("scikit-learn, in batches of 1000", "sklearn_1000", "words", "learn"),
        ("scikit-learn, in batches of 1000", "sklearn_1000", "words", "predict"),
        ("model2vec, the same table, and logistic regression, one by one", "model2vec_1", "static", "predict"),
        ("model2vec, in batches of 1000", "model2vec_1000", "static", "predict"),
    ]
    for name, key, encoder, what in pairs:
        a, b = h[encoder].get(what + "_per_cpu_s"), p[key].get(what + "_per_cpu_s")
        yield f"{name}", what, f"`{encoder}`", number(a), number(b), ratio(a, b)


def report(args, h, small, p, onnx, data):
    first = next(r for r in h.values() if r)
    yield "# Hone beside its peers"
    yield ""
    yield f"{datetime.date.today()}, `{args.command}`, hone {args.version}, {platform.machine()}, {os.cpu_count()} cores with {args.load:.1f} other processes at the start. {data}: {first['texts']:.0f} texts of {first['words_per_text']:.0f} words, {first['classes']:.0f} classes. " \
        "One core; texts per second of processor time, the median of the rounds, text in and probabilities out. A ratio above 1 is in hone's favour."
    yield ""
    yield "Python " + platform.python_version() + ", " + ", ".join(f"{n} {importlib.metadata.version(n)}" for n in PACKAGES) + "."
    yield ""
    yield from table(("peer", "", "hone's encoder", "hone", "peer", "ratio"), classifiers(h, p))
    yield "label-studio-ml's `sklearn_text_classifier`. Its package has no such classifier, so the same work is done with the same libraries (`bench/peers/lsml.py`): " \
        "without the fetching of all labelled tasks that goes before each training. Hone's event is learned and in the snapshot, the median, without the disk; its `/predict` has its own client in it."
    yield ""
    l = p["lsml"]
    rows = []
    for n in (100, 1000):
        a, b = small.get(n, {}).get("learn_one_p50_ms"), l.get(f"train_{n}_ms")
        rows.append((f"a training event at {n} labels, ms", number(a), number(b), ratio(b, a)))
    a, b = small.get(1000, {}).get("predict_requests_per_cpu_s"), l.get("predict_requests_per_cpu_s")
    rows.append(("`/predict` requests of one task per CPU s", number(a), number(b), ratio(a, b)))
    yield from table(("", "hone, `static`", "peer", "ratio"), rows)
    yield "Hone by itself, by the wall:"
    yield ""
    keys = ["encode_per_s", "learn_per_s", "predict_per_s", "apply_per_s", "learn_one_p50_ms", "learn_one_p99_ms", "learn_one_durable_p99_ms", "predict_requests_per_s",
            "webhooks_per_s", "webhooks_64_per_s", "ack_p99_ms", "ack_64_p99_ms", "rss_mb"]
    yield from table(("", *(f"`{e}`" for e in h)), ((k, *(number(h[e].get(k)) for e in h)) for k in keys))
    c = p["crfsuite"]
    if c:
        yield f"sklearn-crfsuite, AROW, one pass, features made while tagging: {number(c['learn_tokens_per_cpu_s'])} tokens learned and {number(c['tag_tokens_per_cpu_s'])} tagged per CPU s."
        yield ""
    if onnx:
        yield "onnxruntime with the transformer that the encoder `minilm` has (`bench/peers/minilm_onnx.py`):"
        yield ""
        yield "```"
        yield onnx.strip()
        yield "```"
        yield ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone", required=True, help="the binary")
    parser.add_argument("--news", required=True, help="the made-up news")
    parser.add_argument("--data", help="a directory with train.jsonl[.gz]")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", default="2s", help="for each of hone's rates")
    parser.add_argument("--out", default=str(ROOT / "bench/RESULTS.md"))
    args = parser.parse_args()
    with open(args.news, encoding="utf-8") as f:
        made = sum(1 for _ in f)
    args.command = f"make bench-speed ROUNDS={args.rounds} " + ("DATA=DIR" if args.data else f"NEWS={made}")
    args.load = os.getloadavg()[0]
    args.version = subprocess.run([args.hone, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    scratch = pathlib.Path(args.news).resolve().parent
    data, named = args.news, "Made-up news (`tools/newslike`)"
    if args.data:
        data, named = unpacked(args.data, "train.jsonl", scratch / "train.jsonl"), f"`{pathlib.Path(args.data).name}`"
        if not data:
            sys.exit(f"{args.data} has no train.jsonl or train.jsonl.gz")
    tags = args.data and unpacked(args.data, "ner.jsonl", scratch / "ner.jsonl")
    encoders, methods = ("words", "hashed", "static"), ("vw", "river", "sklearn_1", "sklearn_1000", "model2vec_1", "model2vec_1000")
    h, p = {e: [] for e in encoders}, {m: [] for m in (*methods, "lsml", "crfsuite")}
    small = {n: [] for n in (100, 1000)}
    for n in small:
        with open(data, encoding="utf-8") as f, open(scratch / f"{n}.jsonl", "w", encoding="utf-8") as out:
            out.writelines(line for line, _ in zip(f, range(n)))
    for r in range(args.rounds):
        say(f"round {r + 1} of {args.rounds}")
        for e in encoders:
            h[e].append(hone(args, data, e))
            for m in methods:
                if {"vw": "hashed", "model2vec_1": "static", "model2vec_1000": "static"}.get(m, "words") == e:
                    p[m].append(peer("classify.py", m, data))
        for n in small:
            small[n].append(hone(args, str(scratch / f"{n}.jsonl"), "static"))
        p["lsml"].append(peer("lsml.py", data))
        p["crfsuite"].append(peer("tag.py", tags or data))
    onnx = None
    script = HERE / "minilm_onnx.py"
    if script.exists():
        say("onnxruntime")
        got = subprocess.run([sys.executable, str(script), "--rounds", str(args.rounds)], cwd=ROOT, capture_output=True, text=True)
        onnx = got.stdout if not got.returncode else say(got.stderr[-2000:])
    h, p, small = ({k: median(v) for k, v in d.items()} for d in (h, p, small))
    text = "\n".join(report(args, h, small, p, onnx, named))
    pathlib.Path(args.out).write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    os.environ.setdefault("GOMAXPROCS", "1")
    main()
