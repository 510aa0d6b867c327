"""Sets hone beside one-vs-rest logistic regression where texts have several labels.

    make bench-ovr DATA=DIR [LABELS=5000] [SEEDS=1]

DIR has train.jsonl[.gz] and test.jsonl[.gz], {"text": ..., "labels": [...]} a line.
For each seed, LABELS texts are drawn; hone learns them one after the other as
`hone simulate` does, and scikit-learn's LogisticRegression, one a label and from
scratch, learns the same texts by the same features (tools/features): hashed n-grams
and the static embedding, each of length 1. C=1 is its default; the others show what
choosing C by looking at the test data would give, which hone may not do. A label is
given where its probability is at least a half. Macro-F1 is the mean over the labels.
"""

import argparse
import gzip
import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import warnings

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

ROOT = pathlib.Path(__file__).resolve().parents[2]
GRID = (0.1, 1, 10, 100, 1000)


def lines(folder, name):
    packed = pathlib.Path(folder, name + ".gz")
    with (gzip.open(packed, "rt", encoding="utf-8") if packed.exists() else open(pathlib.Path(folder, name), encoding="utf-8")) as f:
        return [line for line in f if line.strip()]


def features(program, encoder, path, width=2**18 + 4 * 2**12):
    with open(path, encoding="utf-8") as f:
        out = subprocess.run([program, "-encoder", encoder], stdin=f, capture_output=True, text=True, check=True).stdout
    at, ids, values = [0], [], []
    for line in out.splitlines():
        for pair in line.split():
            i, v = pair.split(":")
            ids.append(int(i))
            values.append(float(v))
        at.append(len(ids))
    return csr_matrix((values, ids, at), shape=(len(at) - 1, width))


def targets(rows, names):
    y = np.zeros((len(rows), len(names)), dtype=int)
    for i, line in enumerate(rows):
        for label in json.loads(line)["labels"]:
            y[i, names.index(label)] = 1
    return y


def one_vs_rest(x, y, x_test, c):
    said = np.zeros((x_test.shape[0], y.shape[1]), dtype=int)
    for k in range(y.shape[1]):
        if y[:, k].any():
            said[:, k] = LogisticRegression(C=c, max_iter=1000).fit(x, y[:, k]).predict(x_test)
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hone", required=True, help="the binary")
    parser.add_argument("--features", required=True, help="the binary of tools/features")
    parser.add_argument("--data", required=True)
    parser.add_argument("--labels", type=int, default=5000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--encoder", default="static")
    args = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    train, test = lines(args.data, "train.jsonl"), lines(args.data, "test.jsonl")
    scores = {name: [] for name in ("hone", *(f"logistic regression, C={c:g}" for c in GRID))}
    for seed in range(args.seeds):
        drawn = random.Random(seed).sample(train, min(args.labels, len(train)))
        names = sorted({label for line in drawn + test for label in json.loads(line)["labels"]})
        with tempfile.TemporaryDirectory() as folder:
            paths = [pathlib.Path(folder, name) for name in ("train.jsonl", "test.jsonl", "out.json")]
            for path, rows in zip(paths, (drawn, test)):
                path.write_text("".join(rows), encoding="utf-8")
            subprocess.run([args.hone, "simulate", "--data", paths[0], "--test", paths[1], "--encoder", args.encoder, "--strategy", "random", "--seeds", "1",
                            "--labels", str(len(drawn)), "--batch", "100", "--jobs", "1", "--json", paths[2]], check=True, stdout=sys.stderr)
            scores["hone"].append(json.loads(paths[2].read_text())["curves"][0]["points"][-1]["macro_f1"])
            x, x_test = features(args.features, args.encoder, paths[0]), features(args.features, args.encoder, paths[1])
        y, y_test = targets(drawn, names), targets(test, names)
        for c in GRID:
            said = one_vs_rest(x, y, x_test, c)
            scores[f"logistic regression, C={c:g}"].append(f1_score(y_test, said, average="macro", zero_division=0))
            print(f"seed {seed}, C={c:g}", file=sys.stderr, flush=True)
    print(f"{pathlib.Path(args.data).name}, {args.labels} labelled texts, {len(test)} to test, {len(names)} labels, {args.encoder}, macro-F1, mean of {args.seeds}:")
    for name, found in scores.items():
        print(f"{name:32} {statistics.mean(found):.3f}")


if __name__ == "__main__":
    main()
