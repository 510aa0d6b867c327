"""The table that asking.py writes."""

import datetime
import platform

import numpy as np

from markdown_table import table

HONE, OWN_START, RANDOM = "coverage", "coverage, its own start", "random"
HONES = (HONE, OWN_START)
FIGURES = ("accuracy", "macro-F1")


def areas(curves, labels, figure):
    """The mean height of each curve, the area under it by trapezoids, as `hone simulate` has it."""
    n = np.array(labels, dtype=float)
    y = np.array(curves)[:, :, figure]
    return ((y[:, 1:] + y[:, :-1]) / 2 * np.diff(n)).sum(axis=1) / (n[-1] - n[0])


def spread(differences):
    """The mean and its standard error; none of one order."""
    d = np.asarray(differences)
    return d.mean(), (d.std(ddof=1) / np.sqrt(len(d)) if len(d) > 1 else None)


def written(differences):
    mean, error = spread(differences)
    return f"{mean:+.3f}" + ("" if error is None else f" ± {error:.3f}")


def best(r, figure):
    """The peers' strategy with the largest area, chosen after all were seen."""
    of = {name: areas(c, r["labels"], figure).mean() for name, c in r["judged"].items() if name not in (*HONES, RANDOM)}
    return max(of, key=of.get)


def summary(results):
    for r in results:
        for figure, name in enumerate(FIGURES):
            of = {k: areas(c, r["labels"], figure) for k, c in r["judged"].items()}
            top = best(r, figure)
            yield (r["set"], name, f"{of[RANDOM].mean():.3f}", written(of[HONE] - of[RANDOM]), f"{top} {written(of[top] - of[RANDOM])}",
                   written(of[HONE] - of[top]), written(of[OWN_START] - of[top]))


def models(results):
    """How the two models differ on the same labels, and what hone's own has."""
    for r in results:
        for figure, name in enumerate(FIGURES):
            own = {k: areas(c, r["labels"], figure) for k, c in r["own"].items()}
            judged = areas(r["judged"][RANDOM], r["labels"], figure)
            top = areas(r["judged"][best(r, figure)], r["labels"], figure)
            yield (r["set"], name, f"{own[RANDOM].mean():.3f}", f"{judged.mean():.3f}", written(own[RANDOM] - judged), written(own[HONE] - own[RANDOM]), written(top - judged))


def one_set(r):
    yield f"## {r['set']}"
    yield ""
    yield f"{r['classes']} classes, a pool of {r['pool']}, {r['test']} to measure on, {len(r['judged'][RANDOM])} orders."
    yield ""
    rows = []
    of = {k: [areas(c, r["labels"], f) for f in range(2)] for k, c in r["judged"].items()}
    at = r["labels"].index(100), len(r["labels"]) - 1
    for name in sorted(of, key=lambda k: -of[k][0].mean()):
        shown = f"**hone {name}**" if name in HONES else name
        c = np.array(r["judged"][name])[:, :, 0].mean(axis=0)
        rows.append((shown, *(f"{a.mean():.3f}" + ("" if name == RANDOM else f" ({written(a - of[RANDOM][f])})") for f, a in enumerate(of[name])),
                     *("" if name == HONE else written(of[HONE][f] - a) for f, a in enumerate(of[name])), *(f"{c[i]:.3f}" for i in at)))
    labels = [str(r["labels"][i]) for i in at]
    yield from table(("order", "accuracy (above random)", "macro-F1 (above random)", "hone above it, accuracy", "hone above it, macro-F1", *(f"accuracy at {n}" for n in labels)), rows)


def report(args, results, versions):
    yield "# What hone asks for, beside modAL and small-text"
    yield ""
    yield f"{datetime.date.today()}, `make bench-asking SETS=\"{' '.join('DIR/' + r['set'] for r in results)}\" ORDERS={args.orders}{args.chosen}`, hone {args.version}, encoder `{args.encoder}`, {platform.machine()}. " \
        "Python " + platform.python_version() + ", " + ", ".join(f"{k} {v}" for k, v in versions.items()) + "."
    yield ""
    yield "Areas are means from 10 to 500 labels in batches of 10, on test data that nothing was chosen by. Each difference is paired by order, ± its standard error. In each order all begin with the same 10 random tasks, " \
        "but the rows *its own start*, where hone also chooses the first ten. All orders are judged by one model, scikit-learn's logistic regression with the features, weights and ridge with which hone's heads begin; " \
        "hone asked by its own, which chooses them from the labels, and one task in ten of its order is random. Labels have no names. The best peer is chosen after the fact, which favours the peers. `bench/peers/asking.py` says the rest."
    yield ""
    yield from table(("set", "figure", "random", "hone's `coverage` above random", "best peer above random", "hone above the best peer", "with its own start"), summary(results))
    yield "The two models on the same labels, those in random order, and what each side's strategy gains by its own model:"
    yield ""
    yield from table(("set", "figure", "hone's model", "scikit-learn's", "difference", "hone's `coverage` above random, by hone's model", "best peer above random, by scikit-learn's"), models(results))
    for r in results:
        yield from one_set(r)
