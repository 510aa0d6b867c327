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
        result = simulate(o, path)
        gains = {n: paired(result["curves"], o.strategy, n, figure) for n in COUNTS}
        gains = {n: g for n, g in gains.items() if g}
        area = next(a for a in result["areas"] if a["strategy"] == o.strategy)[figure]
        positive += area["above_random"] > 0
        area = said(area["above_random"], area["standard_error"] or 0.0)
        for n, g in gains.items():
            mean, error = g
            at_count[n].append(mean)
            if mean < -max(0.01, 2 * error):
                below.append(f"{name} at {n} labels: {mean:+.3f} ± {error:.3f}")
        rows.append([name, "macro-F1" if f1 else "accuracy", area] + [said(*gains[n]) if n in gains else "" for n in COUNTS])
        print(f"{name}: area {area}", flush=True)
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
    """How far the strategy is above random at a number of labels, in the mean of the orders, and the standard error of that; None where it was not measured."""
    of = {(c["strategy"], c["seed"]): p[figure] for c in curves for p in c["points"] if p["labels"] == labels}
    gains = [v - of["random", seed] for (name, seed), v in of.items() if name == strategy]
    if not gains:
        return None
    return statistics.mean(gains), statistics.stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else 0.0


def said(mean, error):
    return f"{mean:+.3f} ± {error:.3f}"


if __name__ == "__main__":
    main()
