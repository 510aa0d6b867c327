"""What a strategy gains over random order on many sets: hone simulate for each file of a folder, and a table.

    go run ./tools/regret -variants -write DIR intents=train.jsonl.gz sms=sms.jsonl.gz
    python bench/peers/asking_grid.py --hone bin/hone --sets DIR --f1 sms --out bench/out/grid

A result that is in --out already is not made again, so it can be stopped and go on. Needs no package.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess

from markdown_table import table

COUNTS = [50, 100, 200, 500]
LABELS = "10,20,30,50,70,100,150,200,250,300,400,500"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--hone", required=True)
    p.add_argument("--sets", required=True, type=pathlib.Path, help="folder of JSON lines")
    p.add_argument("--out", required=True, type=pathlib.Path, help="folder for the results")
    p.add_argument("--f1", nargs="*", default=[], help="sets whose names begin so are judged by macro-F1")
    p.add_argument("--strategy", default="coverage")
    p.add_argument("--orders", type=int, default=10)
    p.add_argument("--batch", type=int, default=10)
    p.add_argument("--hold-out", type=float, default=0.35)
    p.add_argument("--adapt", default="off")
    p.add_argument("--jobs", type=int, default=1)
    o = p.parse_args()
    o.out.mkdir(parents=True, exist_ok=True)
    rows, below, positive, at_count = [], [], 0, {n: [] for n in COUNTS}
    for path in sorted(o.sets.glob("*.jsonl")):
        name, f1 = path.stem, any(path.stem.startswith(f) for f in o.f1)
        figure = "macro_f1" if f1 else "accuracy"
        curves = simulate(o, path)["curves"]
        gains = {n: paired(curves, o.strategy, n, figure) for n in COUNTS}
        gains = {n: g for n, g in gains.items() if g}
        area = paired(curves, o.strategy, None, figure)
        positive += statistics.mean(area) > 0
        for n, g in gains.items():
            mean, error = statistics.mean(g), stderr(g)
            at_count[n].append(mean)
            if mean < -max(0.01, 2 * error):
                below.append(f"{name} at {n} labels: {mean:+.3f} ± {error:.3f}")
        rows.append([name, "macro-F1" if f1 else "accuracy", said(area)] + [said(gains[n]) if n in gains else "" for n in COUNTS])
        print(f"{name}: area {said(area)}", flush=True)
    print()
    print("\n".join(table(["set", "figure", "area above random"] + [f"at {n} labels" for n in COUNTS], rows)))
    for n in COUNTS:
        if at_count[n]:
            print(f"at {n} labels: mean of {len(at_count[n])} sets {statistics.mean(at_count[n]):+.4f}, least {min(at_count[n]):+.3f}")
    print(f"area above random on {positive} of {len(rows)} sets")
    print("below by more than .01 and two standard errors: " + ("; ".join(below) or "none"))


def simulate(o, path):
    """The result for a file, made once. The numbers of labels are those that its tasks suffice for."""
    result = o.out / f"{path.stem}.json"
    if not result.exists():
        with path.open() as f:
            pool = int(sum(1 for _ in f) * (1 - o.hold_out) * 0.95)
        labels = ",".join(n for n in LABELS.split(",") if int(n) < pool)
        vectors = o.out / (path.stem.split("-")[0] + ".vectors")
        subprocess.run([o.hone, "simulate", "--data", path, "--hold-out", str(o.hold_out), "--strategy", o.strategy + ",random", "--labels", labels,
                        "--batch", str(o.batch), "--seeds", str(o.orders), "--adapt", o.adapt, "--jobs", str(o.jobs), "--vectors", vectors, "--json", result],
                       check=True, stdout=subprocess.DEVNULL)
    return json.loads(result.read_text())


def paired(curves, strategy, labels, figure):
    """How far the strategy is above random in each order: at a number of labels, or in its area where that is None."""
    of = {(c["strategy"], c["seed"]): c["points"] for c in curves}
    out = []
    for name, seed in sorted(of):
        if name == strategy:
            one, other = (value(of[s, seed], labels, figure) for s in (strategy, "random"))
            if one is not None:
                out.append(one - other)
    return out


def value(points, labels, figure):
    at = [(p["labels"], p[figure]) for p in points]
    if labels is not None:
        return dict(at).get(labels)
    area = sum((b - a) * (x + y) / 2 for (a, x), (b, y) in zip(at, at[1:]))
    return area / (at[-1][0] - at[0][0])


def stderr(of):
    return statistics.stdev(of) / math.sqrt(len(of)) if len(of) > 1 else 0.0


def said(of):
    return f"{statistics.mean(of):+.3f} ± {stderr(of):.3f}"


if __name__ == "__main__":
    main()
