"""Times sklearn-crfsuite on tokens with BIO tags: python tag.py DATA.jsonl

With lines of {"text", "label"} instead, capitalised words stand for entities: it
is as much work. Features are word, shape, affixes and neighbours; making them is
part of tagging.
"""

import re
import sys

import sklearn_crfsuite

from common import Clock, rows

data = []
for r in rows(sys.argv[1]):
    tokens = r.get("tokens") or r["text"].split()
    data.append((tokens, r.get("tags") or ["B-name" if t[0].isupper() else "O" for t in tokens]))
data = data[:3000]


def shape(w):
    return re.sub(r"(.)\1+", r"\1", re.sub("[0-9]", "d", re.sub("[a-z]", "x", re.sub("[A-Z]", "X", w))))


def features(tokens):
    low = [t.lower() for t in tokens]
    out = []
    for i, w in enumerate(low):
        f = ["bias", "w=" + w, "s=" + shape(tokens[i])]
        f += [f"p{k}=" + w[:k] for k in (2, 3)] + [f"x{k}=" + w[-k:] for k in (2, 3, 4)]
        f += ["-w=" + low[i - 1], "-s=" + shape(tokens[i - 1])] if i else ["BOS"]
        f += ["+w=" + low[i + 1], "+s=" + shape(tokens[i + 1])] if i + 1 < len(low) else ["EOS"]
        out.append(f)
    return out


clock, n = Clock(), sum(len(t) for t, _ in data)
crf = sklearn_crfsuite.CRF(algorithm="arow", max_iterations=1)
clock.rate("learn_tokens", n, lambda: crf.fit([features(t) for t, _ in data], [y for _, y in data]))
clock.rate("tag_tokens", n, lambda: [crf.predict_single(features(t)) for t, _ in data])
clock.print(tokens=n)
