"""Compares what hone asks for with what modAL and small-text ask for.

    make bench-asking [SETS="DIR DIR"] [ORDERS=5] [STRATEGIES="modAL margin;small-text contrastive"]

Each set is a folder with train.jsonl[.gz] and test.jsonl[.gz], {"text": ..., "label": ...} a line;
without SETS it is the one that is part of hone. Of each, 2,000 texts of train are the pool.
In each order the first 10 tasks are drawn at random, the same for every strategy; then 10 at a
time are asked for, up to 500, and test is measured on.

The features are the same: those that hone's encoder makes (tools/features), its parts weighted as
hone's heads begin. So is the family of models: multinomial logistic regression with a ridge. Hone
asks by its own model, of which it chooses weights and ridge from the labels, as `hone simulate`
has it; the labels have no names there (--anonymous-labels), because peers cannot read names. The
peers ask by scikit-learn's, with the ridge that hone's heads begin with. Then the tasks that each
asked for, hone too, are judged by one and the same model, scikit-learn's, so that a difference can
come of the order alone. One task in ten that hone asks for is drawn at random, as always.

What was computed is kept in bench/out/asking and not computed again while the program, the data
and the numbers are the same.
"""

import argparse
import gzip
import hashlib
import json
import os
import pathlib
import random
import subprocess
import sys
import time

for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
    os.environ.setdefault(name + "_NUM_THREADS", "1")
os.environ.setdefault("GOMAXPROCS", "1")

import numpy as np  # noqa: E402 -- it reads the environment
from sklearn.metrics import f1_score  # noqa: E402

import asking_report  # noqa: E402
import asking_strategies as peers  # noqa: E402
from features import read_features  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
LABELS = (10, 20, 30, 50, 70, 100, 150, 200, 250, 300, 400, 500)
BATCH = 10


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def lines(folder, *names):
    """The lines of the first of some files that is there, gzipped or not."""
    for name in names:
        for path in (folder / name, folder / (name + ".gz")):
            if path.exists():
                with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as f:
                    return [line if line.endswith("\n") else line + "\n" for line in f if line.strip()]
    sys.exit(f"{folder} has none of {', '.join(names)}: name the folders of sets with SETS='DIR DIR'")


class Set:
    """The texts of one set, and what was computed of them."""

    def __init__(self, folder, args):
        self.name, self.args = folder.name, args
        self.out = args.work / self.name
        self.out.mkdir(parents=True, exist_ok=True)
        train, test = lines(folder, "train.jsonl", "tasks.jsonl"), lines(folder, "test.jsonl")
        pool = random.Random(0).sample(train, min(args.pool, len(train)))
        # Nothing but the text and the label, in the form that hone simulate reads.
        self.pool, self.test = ([self.row(line) for line in rows] for rows in (pool, test))
        self.digest = hashlib.sha256(json.dumps([self.pool, self.test]).encode()).hexdigest()
        for name, rows in (("pool", self.pool), ("test", self.test)):
            with open(self.path(name + ".jsonl"), "w", encoding="utf-8") as f:
                f.writelines(json.dumps(r) + "\n" for r in rows)
        names = sorted({r["label"] for r in self.pool + self.test})
        self.classes = len(names)
        self.y, self.y_test = (np.array([names.index(r["label"]) for r in rows]) for rows in (self.pool, self.test))

    @staticmethod
    def row(line):
        r = json.loads(line)
        return {"text": r["text"] if "text" in r else r["data"]["text"], "label": r["label"]}

    def path(self, name):
        return str(self.out / name)

    def kept(self, name, key, compute):
        """What compute returned when it was last called with this key."""
        path = self.out / (name + ".json")
        key = hashlib.sha256(json.dumps([self.digest, key]).encode()).hexdigest()
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["key"] == key:
                return found["value"]
        began, value = time.monotonic(), compute()
        say(f"{self.name}, {name}: {time.monotonic() - began:.0f} s")
        path.write_text(json.dumps({"key": key, "value": value}), encoding="utf-8")
        return value

    def simulate(self, name, strategies, *more):
        """The curves of `hone simulate`, with the tasks that were asked."""
        args = self.args
        command = ["simulate", "--anonymous-labels", *(["--adapt", "off"] if args.encoder == "minilm" else []), "--encoder", args.encoder, "--strategy", strategies, "--seeds", str(args.orders),
                   "--labels", ",".join(map(str, LABELS)), "--batch", str(BATCH), "--jobs", "1", "--asked", *more]

        def compute():
            subprocess.run([args.hone, *command, "--data", self.path("pool.jsonl"), "--test", self.path("test.jsonl"), "--vectors", self.path("vectors"),
                            "--json", self.path("simulate.json")], check=True, stdout=sys.stderr)
            return json.loads(pathlib.Path(self.path("simulate.json")).read_text(encoding="utf-8"))["curves"]
        return self.kept(name, [args.binary, command], compute)

    def features(self):
        vectors = self.path("vectors")
        read = [read_features(self.args.features, self.args.encoder, vectors if os.path.exists(vectors) else "", self.path(n + ".jsonl")) for n in ("pool", "test")]
        return peers.spaces(*read)


def compare(s):
    """All strategies of one set: the model's figures at each number of labels, by strategy and order."""
    curves = s.simulate("hone", "coverage,random", "--random-start", str(BATCH))
    curves = curves + [dict(c, strategy="coverage, its own start") for c in s.simulate("hone-start", "coverage")]
    by = {}
    for c in curves:
        by.setdefault(c["strategy"], []).append(c)
    starts = [[n - 1 for n in c["asked"][:BATCH]] for c in by["random"]]
    for c in by["coverage"]:
        assert [n - 1 for n in c["asked"][:BATCH]] == starts[c["seed"]], "the starts differ"
    x, x_test = s.features()
    ridge = [peers.RIDGE, peers.BIAS, peers.WEIGHTS]
    orders = {name: [[n - 1 for n in c["asked"]] for c in of] for name, of in by.items()}
    for name in s.args.strategies:
        key = [name, starts, ridge, s.args.encoder, peers.versions()]
        orders[name] = s.kept("asked-" + name.replace(" ", "-").replace(",", ""), key,
                              lambda name=name: [peers.ask(name, x, s.y, s.classes, start, LABELS[-1], BATCH, seed) for seed, start in enumerate(starts)])
    figures = {}
    for name, of in orders.items():
        figures[name] = s.kept("judged-" + name.replace(" ", "-").replace(",", ""), [of, ridge, s.args.encoder], lambda of=of: [judge(s, x, x_test, o) for o in of])
    own = {name: [[[p["accuracy"], p["macro_f1"]] for p in c["points"]] for c in of] for name, of in by.items()}
    return {"set": s.name, "classes": s.classes, "pool": len(s.pool), "test": len(s.test), "labels": LABELS, "judged": figures, "own": own}


def judge(s, x, x_test, asked):
    """Accuracy and macro-F1 of the model that has learned the first tasks of an order."""
    out = []
    for n in LABELS:
        said = peers.Model().fit(x[asked[:n]], s.y[asked[:n]]).predict(x_test)
        macro = f1_score(s.y_test, said, labels=np.unique(s.y_test), average="macro", zero_division=0)
        out.append([float(np.mean(said == s.y_test)), float(macro)])
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone", required=True, help="the binary")
    parser.add_argument("--features", required=True, help="the binary of tools/features")
    parser.add_argument("--sets", nargs="+", type=pathlib.Path, required=True, help="folders")
    parser.add_argument("--orders", type=int, default=5)
    parser.add_argument("--pool", type=int, default=2000)
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--strategies", default=";".join(peers.DEFAULT), help="of the peers, with ; between them: " + "; ".join(peers.STRATEGIES))
    parser.add_argument("--reuse", action="store_true", help="what was kept with --reuse, whatever the binary was then")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "bench/out/asking")
    parser.add_argument("--out", default=str(ROOT / "bench/ASKING.md"))
    args = parser.parse_args()
    args.chosen = "" if args.strategies == ";".join(peers.DEFAULT) else f' STRATEGIES="{args.strategies}"'
    args.strategies = [n for n in args.strategies.split(";") if n]
    for n in args.strategies:
        if n not in peers.STRATEGIES:
            sys.exit(f"no strategy {n!r}; there are {'; '.join(peers.STRATEGIES)}")
    args.binary = "" if args.reuse else hashlib.sha256(pathlib.Path(args.hone).read_bytes()).hexdigest()
    args.version = subprocess.run([args.hone, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    results = [compare(Set(folder.resolve(), args)) for folder in args.sets]
    text = "\n".join(asking_report.report(args, results, peers.versions()))
    pathlib.Path(args.out).write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
