"""The model and the strategies of modAL and small-text, for asking.py."""

import importlib.metadata
import warnings

import numpy as np
from modAL import batch, uncertainty
from modAL.models import ActiveLearner
from scipy.linalg import qr
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from small_text import (BreakingTies, ContrastiveActiveLearning, DiscriminativeActiveLearning, EmbeddingKMeans, GreedyCoreset, LeastConfidence,
                        LightweightCoreset, PoolBasedActiveLearner, PredictionEntropy, SklearnClassifier, SklearnDataset)

warnings.simplefilter("ignore")  # of the peers about themselves

# What a head of hone begins with where it has a transformer (learner/tune): the kernel's weights of
# the parts, the ridge, and the value of the feature that all texts have.
WEIGHTS = {"hashed": 0.25, "words": 0.5, "middle": 0.5, "sentence": 1.0}
RIDGE, BIAS = 0.01, 0.4


def versions():
    return {n: importlib.metadata.version(n) for n in ("modAL-python", "small-text", "scikit-learn", "numpy", "scipy")}


class Features(np.ndarray):
    """Rows of features, the first columns of which, as many as embedding says, are what the
    transformer makes of a text, or the words where there is none."""

    embedding = 0

    def __array_finalize__(self, of):
        self.embedding = getattr(of, "embedding", 0)


def spaces(pool, test):
    """The features of pool and test texts. Inner products are those of hone's kernel: the hashed
    part of each text is projected onto those of the pool, whose span no model of pool texts leaves."""
    (hashed, dense), (hashed_test, dense_test) = pool, test
    alike = [k for k in ("middle", "sentence") if k in dense] or ["words"]
    columns, columns_test = [], []
    for k in alike + [k for k in dense if k not in alike]:
        scale = np.sqrt(WEIGHTS[k])
        width = max(dense[k].shape[1], dense_test[k].shape[1])
        for c, d in ((columns, dense[k]), (columns_test, dense_test[k])):
            c.append(scale * np.pad(d, ((0, 0), (0, width - d.shape[1]))))
    width = sum(c.shape[1] for c in columns[:len(alike)])
    values, vectors = np.linalg.eigh((hashed @ hashed.T).toarray())
    keep = values > 1e-9 * values.max()
    axes = vectors[:, keep] / np.sqrt(values[keep])
    for c, h in ((columns, hashed), (columns_test, hashed_test)):
        c.append(np.sqrt(WEIGHTS["hashed"]) * ((h @ hashed.T).toarray() @ axes))
        c.append(np.full((h.shape[0], 1), BIAS))
    out = []
    for c in (columns, columns_test):
        x = np.hstack(c).astype(np.float32).view(Features)
        x.embedding = width
        out.append(x)
    return out


class Model(ClassifierMixin, BaseEstimator):
    """Multinomial logistic regression with hone's penalty, RIDGE/2 times the squared length of the
    weights beside the sum of the losses. It is solved in the span of the examples, where its
    optimum lies. Classes without an example have a probability of 0; of one class alone it is 1."""

    def __init__(self, classes=None, ridge=RIDGE):
        self.classes, self.ridge = classes, ridge

    def fit(self, x, y, sample_weight=None):
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y)
        seen = np.unique(y)
        self.classes_ = np.arange(self.classes) if self.classes else seen
        self.at_ = np.searchsorted(self.classes_, seen)
        self.weights_ = None
        if len(seen) == 1:
            return self
        basis, r = qr(x.T, mode="economic")
        # Of two classes scikit-learn has one vector of weights, twice as long as either of hone's two.
        c = (2 if len(seen) == 2 else 1) / self.ridge
        solved = LogisticRegression(C=c, fit_intercept=False, max_iter=500).fit(r.T, y, sample_weight)
        self.weights_ = basis @ solved.coef_.T
        return self

    def predict_proba(self, x):
        p = np.zeros((len(x), len(self.classes_)))
        if self.weights_ is None:
            p[:, self.at_] = 1
            return p
        scores = np.asarray(x) @ self.weights_
        if scores.shape[1] == 1:
            scores = np.hstack([np.zeros_like(scores), scores])
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        p[:, self.at_] = scores / scores.sum(axis=1, keepdims=True)
        return p

    def predict(self, x):
        return self.classes_[self.predict_proba(x).argmax(axis=1)]


def ask_modal(query, x, y, classes, start, labels, size):
    learner = ActiveLearner(Model(classes), query_strategy=query, X_training=x[start], y_training=y[start])
    asked, left = list(start), np.setdiff1d(np.arange(len(x)), start)
    while len(asked) < labels:
        found = left[np.asarray(learner.query(x[left], n_instances=size)[0])]
        learner.teach(x[found], y[found])
        asked.extend(found.tolist())
        left = np.setdiff1d(left, found)
    return asked


class Embedding(SklearnClassifier):
    """A classifier of small-text whose embedding of a text is what the transformer makes of it."""

    width = 0

    def embed(self, data, return_proba=False, pbar=None):
        vectors = np.asarray(data.x)[:, :self.width]
        return (vectors, self.predict_proba(data)) if return_proba else vectors


class Factory:
    def __init__(self, classes, width):
        self.classes, self.width = classes, width

    def new(self):
        made = Embedding(Model(self.classes), self.classes)
        made.width = self.width
        return made


def ask_small_text(strategy, x, y, classes, start, labels, size):
    factory = Factory(classes, x.embedding)
    data = SklearnDataset(np.asarray(x), y, target_labels=np.arange(classes))
    learner = PoolBasedActiveLearner(factory, strategy(x), data)
    learner.initialize_data(np.array(start), y[start])
    asked = list(start)
    while len(asked) < labels:
        found = learner.query(num_samples=size)
        learner.update(y[found])
        asked.extend(int(i) for i in found)
    return asked


STRATEGIES = {
    "modAL least confident": (ask_modal, uncertainty.uncertainty_sampling),
    "modAL margin": (ask_modal, uncertainty.margin_sampling),
    "modAL entropy": (ask_modal, uncertainty.entropy_sampling),
    "modAL ranked batch": (ask_modal, batch.uncertainty_batch_sampling),
    "small-text least confidence": (ask_small_text, lambda x: LeastConfidence()),
    "small-text breaking ties": (ask_small_text, lambda x: BreakingTies()),
    "small-text entropy": (ask_small_text, lambda x: PredictionEntropy()),
    "small-text greedy coreset": (ask_small_text, lambda x: GreedyCoreset()),
    "small-text lightweight coreset": (ask_small_text, lambda x: LightweightCoreset()),
    "small-text embedding k-means": (ask_small_text, lambda x: EmbeddingKMeans()),
    "small-text contrastive": (ask_small_text, lambda x: ContrastiveActiveLearning(pbar=None)),
    "small-text discriminative": (ask_small_text, lambda x: DiscriminativeActiveLearning(Factory(2, x.embedding), 2, pbar=None)),
}
# The uncertainty of small-text is that of modAL but for ties: one of each pair is enough.
DEFAULT = [n for n in STRATEGIES if n not in ("small-text least confidence", "small-text entropy", "small-text discriminative")]


def ask(name, x, y, classes, start, labels, size, seed):
    """The tasks that a strategy asks for, in order, those of the start first."""
    np.random.seed(seed)
    how, strategy = STRATEGIES[name]
    asked = how(strategy, x, y, classes, start, labels, size)
    if len(set(asked)) < labels or len(asked) != labels:
        raise ValueError(f"{name} asked for {len(set(asked))} tasks, {labels} are wanted")
    return asked
