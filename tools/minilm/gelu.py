"""Finds the coefficients of GELU in encode/text/internal/kernels/kernels.go.

    python gelu.py

The normal distribution function less a half is u * P(u*u) / Q(u*u) for |u| <= 5.5,
P and Q of degree 5: the least largest error by reweighted least squares (Lawson
1961), times |u|, as GELU multiplies it.
"""

import numpy as np
from scipy.special import erf

END, DEGREE, POINTS, ROUNDS = 5.5, 5, 4000, 400


def fit():
    u = END * np.sort(np.cos(np.pi * (np.arange(POINTS) + 0.5) / POINTS / 2))
    t, f = (u / END) ** 2, erf(u / np.sqrt(2)) / 2
    least, lawson, last = np.inf, np.ones(POINTS), np.ones(POINTS)
    for _ in range(ROUNDS):
        weight = lawson * np.maximum(u, 0.05) / last
        powers = t[:, None] ** np.arange(DEGREE + 1)
        columns = np.concatenate([(u * weight)[:, None] * powers, -(f * weight)[:, None] * powers[:, 1:]], 1)
        x = np.linalg.lstsq(columns, f * weight, rcond=None)[0]
        p, q = x[: DEGREE + 1], np.concatenate([[1], x[DEGREE + 1 :]])
        last = powers @ q
        error = np.abs(u * (powers @ p) / last - f) * np.maximum(u, 0.05)
        if error.max() < least:
            least, best = error.max(), (p, q)
        lawson *= (error / error.max() + 1e-3) ** 0.3
        lawson /= lawson.max()
    shrink = END ** (-2.0 * np.arange(DEGREE + 1))
    return least, [(c * shrink).astype(np.float32)[::-1] for c in best]


if __name__ == "__main__":
    least, coefficients = fit()
    print("largest error", least)
    for name, c in zip("PQ", coefficients):
        print(name, ", ".join(repr(float(x)) for x in c))
