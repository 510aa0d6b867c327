"""Times one text classifier: python classify.py METHOD DATA.jsonl

Every method starts with texts in memory and ends with probabilities. Learning is
one pass, one text at a time where the method can; batches are said so.
"""

import re
import sys

from common import Clock, labelled, table

method, (texts, labels, names) = sys.argv[1], labelled(sys.argv[2])
clock, classes = Clock(), list(range(len(names)))

if method == "vw":  # word 1- and 2-grams, logistic one against all, probabilities
    import vowpalwabbit

    vw = vowpalwabbit.Workspace(f"--oaa {len(names)} -b 18 --ngram 2 --loss_function logistic --probabilities --quiet")

    def line(text):
        return re.sub(r"[|:\n]", " ", text.lower())

    clock.rate("learn", len(texts), lambda: [vw.learn(f"{y + 1} | {line(t)}") for t, y in zip(texts, labels)])
    clock.rate("predict", len(texts), lambda: [vw.predict("| " + line(t)) for t in texts])
    vw.finish()
elif method == "river":
    from river import feature_extraction, linear_model

    m = feature_extraction.BagOfWords(ngram_range=(1, 2)) | linear_model.SoftmaxRegression()
    n = min(1500, len(texts))
    clock.rate("learn", n, lambda: [m.learn_one(t, y) for t, y in zip(texts[:n], labels)])
    clock.rate("predict", n, lambda: [m.predict_proba_one(t) for t in texts[-n:]])
elif method in ("sklearn_1", "sklearn_1000"):  # the batch
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import SGDClassifier

    batch = int(method.split("_")[1])
    h = HashingVectorizer(ngram_range=(1, 2), n_features=2**18, alternate_sign=False)
    m = SGDClassifier(loss="log_loss")
    n = min(300 if batch == 1 else len(texts), len(texts))
    cuts = range(0, n, batch)
    clock.rate("learn", n, lambda: [m.partial_fit(h.transform(texts[i:i + batch]), labels[i:i + batch], classes=classes) for i in cuts])
    clock.rate("predict", n, lambda: [m.predict_proba(h.transform(texts[i:i + batch])) for i in cuts])
elif method in ("model2vec_1", "model2vec_1000"):  # the batch; hone's own table, 256 dimensions
    from model2vec import StaticModel
    from sklearn.linear_model import LogisticRegression
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    pieces, vectors = table()
    t = Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]", max_input_chars_per_word=100))
    t.normalizer, t.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    m, batch = StaticModel(vectors, t, normalize=True), int(method.split("_")[1])
    n = min(3000 if batch == 1 else len(texts), len(texts))
    cuts = range(0, n, batch)
    clock.rate("encode", n, lambda: [m.encode(texts[i:i + batch]) for i in cuts])
    lr = LogisticRegression(C=10, max_iter=100).fit(m.encode(texts[:2000]), labels[:2000])
    clock.rate("predict", n, lambda: [lr.predict_proba(m.encode(texts[i:i + batch])) for i in cuts])
else:
    sys.exit(f"no method {method!r}")
clock.print()
