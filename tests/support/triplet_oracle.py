"""Every triplet with its probability, by loops over the paper's formulas."""

import itertools

import numpy as np
from scipy import stats


def relevance_matrix(known):
    """r_ij of all images, 0 on the diagonal."""
    at = np.arange(len(known))
    r = known.between(at[:, None], at[None]).astype(np.float64)
    np.fill_diagonal(r, 0)
    return r


def probabilities(r, category, rules, outside):
    """P(q, p, n) given the kind of the negative [N, N, N]; equations 6 to 8."""
    size = len(r)
    weigh = (lambda x: x) if rules.weighted else (lambda x: float(x > 0))
    capped = np.vectorize(lambda x: weigh(min(x, rules.cap)))(r)
    joint = np.zeros((size, size, size))
    for q, p in itertools.product(range(size), repeat=2):
        total = r[q].sum()
        if not (r[q, p] > 0 and total > 0):
            continue
        start = weigh(total) * capped[q, p] / capped[q].sum()
        if outside:
            chance = (category != category[q]).astype(float)
            if r[q, p] < rules.margin:
                continue
            joint[q, p] = start * chance / max(chance.sum(), 1)
            continue
        below = (r[q] < r[q, p]) & (r[q, p] - r[q] >= rules.margin - 1e-7)
        chance = capped[q] * below * (category == category[q])
        passing = chance.sum() / capped[q].sum()
        if passing > 0:
            found = 1 - (1 - passing) ** rules.tries
            joint[q, p] = start * found * chance / chance.sum()
    return joint / joint.sum()


def p_value(counts, probability):
    """Of Pearson's chi-square; cells of an expectation below 5 are taken together.

    Raises:
      AssertionError: something happened that has no probability.
    """
    counts, probability = counts.ravel(), probability.ravel()
    assert counts[probability == 0].sum() == 0
    expected = probability / probability.sum() * counts.sum()
    rare = expected < 5
    counts = np.r_[counts[~rare], counts[rare].sum()]
    expected = np.r_[expected[~rare], expected[rare].sum()]
    there = expected > 0
    return stats.chisquare(counts[there], expected[there]).pvalue
