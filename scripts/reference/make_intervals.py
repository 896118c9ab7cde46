"""Writes fixtures/eval/intervals.json: intervals and tests by scipy and statsmodels, for the statistics of @ift/eval.

    python scripts/reference/make_intervals.py
"""

import json
import math
import random
from pathlib import Path

import numpy as np
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

rng = random.Random(32)
Z = stats.norm.ppf(0.975)


def values(n, spread=1.0):
    return [round(rng.gauss(0.4, spread), 6) for _ in range(n)]


def bits(n, share):
    return [int(rng.random() < share) for _ in range(n)]


def t_interval(xs):
    xs = np.array(xs)
    se = stats.sem(xs)
    low, high = stats.t.interval(0.95, len(xs) - 1, loc=xs.mean(), scale=se)
    return {'mean': xs.mean(), 'se': se, 'low': low, 'high': high}


def wilson(successes, n):
    low, high = proportion_confint(successes, n, alpha=0.05, method='wilson')
    p = successes / n
    return {'mean': p, 'se': math.sqrt(p * (1 - p) / (n - 1)) if n > 1 else None, 'low': low, 'high': high}


def cluster_case(groups, most):
    xs, names = [], []
    for group in range(groups):
        shift = rng.gauss(0, 0.5)
        for _ in range(rng.randint(1, most)):
            xs.append(round(0.5 + shift + rng.gauss(0, 0.3), 6))
            names.append(group)
    order = list(range(len(xs)))
    rng.shuffle(order)
    xs, names = [xs[i] for i in order], [names[i] for i in order]
    fit = sm.OLS(xs, np.ones(len(xs))).fit(cov_type='cluster', cov_kwds={'groups': np.array(names)}, use_t=True)
    low, high = fit.conf_int()[0]
    return {
        'values': xs,
        'clusters': names,
        'expected': {'mean': fit.params[0], 'se': fit.bse[0], 'low': low, 'high': high},
    }


def macro_case(parts):
    estimates = [wilson(sum(xs), len(xs)) if set(xs) <= {0, 1} else t_interval(xs) for xs in parts]
    mean = np.array([e['mean'] for e in estimates])
    low = np.array([e['low'] for e in estimates])
    high = np.array([e['high'] for e in estimates])
    se = np.array([e['se'] for e in estimates])
    centre = mean.mean()
    return {
        'parts': parts,
        'expected': {
            'mean': centre,
            'se': np.sqrt((se**2).sum()) / len(parts),
            'low': centre - np.sqrt(((mean - low) ** 2).sum()) / len(parts),
            'high': centre + np.sqrt(((high - mean) ** 2).sum()) / len(parts),
        },
    }


def pooled_case(parts):
    """The within-group mean square of a one-way analysis of variance over N."""
    ys = np.concatenate([np.array(xs, dtype=float) for xs in parts])
    dummies = np.zeros((len(ys), len(parts)))
    at = 0
    for i, xs in enumerate(parts):
        dummies[at : at + len(xs), i] = 1
        at += len(xs)
    fit = sm.OLS(ys, dummies).fit()
    se = math.sqrt(fit.mse_resid / len(ys))
    return {'parts': parts, 'expected': {'mean': ys.mean(), 'se': se, 'low': ys.mean() - Z * se, 'high': ys.mean() + Z * se}}


def sign_flip_case(n, shift, exact):
    differences = [round(rng.gauss(shift, 1), 6) for _ in range(n)]
    found = stats.permutation_test(
        (np.array(differences),),
        np.sum,
        permutation_type='samples',
        n_resamples=np.inf if exact else 200_000,
        vectorized=False,
        rng=np.random.default_rng(7),
    )
    return {'differences': differences, 'p': found.pvalue, 'exact': exact}


def spearman_case(first, second):
    return {'first': first, 'second': second, 'expected': float(stats.spearmanr(first, second).statistic)}


def mcnemar_case(first, second):
    table = np.zeros((2, 2))
    for a, b in zip(first, second):
        table[a, b] += 1
    return {
        'first': first,
        'second': second,
        'onlyFirst': int(table[1, 0]),
        'onlySecond': int(table[0, 1]),
        'p': mcnemar(table, exact=True).pvalue if table[1, 0] + table[0, 1] > 0 else 1.0,
    }


def paired_case(n):
    common = [rng.gauss(0, 1) for _ in range(n)]
    first = [round(c + rng.gauss(0.2, 0.4), 6) for c in common]
    second = [round(c + rng.gauss(0, 0.4), 6) for c in common]
    differences = np.array(first) - np.array(second)
    interval = stats.ttest_rel(first, second).confidence_interval(0.95)
    return {
        'first': first,
        'second': second,
        'expected': {
            'mean': differences.mean(),
            'se': stats.sem(differences),
            'low': interval.low,
            'high': interval.high,
            'sd': differences.std(ddof=1),
        },
    }


samples = [values(n, spread) for n, spread in ((2, 1), (3, 0.1), (10, 5), (47, 1), (300, 0.01))]
ps = [[0.01, 0.04, 0.03, 0.005], [0.5, 0.9], [0.02], [round(rng.random() ** 3, 9) for _ in range(20)]]
fixture = {
    'madeBy': f'scripts/reference/make_intervals.py, scipy {scipy.__version__}, statsmodels {statsmodels.__version__}',
    't95': [
        [df, stats.t.ppf(0.975, df)]
        for df in [*range(1, 61), 97, 100, 299, 500, 998, 999, 1000, 1001, 1002, 2500, 11844, 10**6]
    ],
    'wilson': [
        {'successes': k, 'n': n, 'expected': wilson(k, n)}
        for k, n in ((0, 1), (1, 1), (0, 7), (7, 7), (3, 8), (1, 50), (499, 1000), (1317, 1319), (11845, 11845))
    ],
    't': [{'values': xs, 'expected': t_interval(xs)} for xs in samples],
    'clustered': [cluster_case(2, 4), cluster_case(12, 1), cluster_case(25, 9)],
    'macro': [
        macro_case([bits(20, 0.5), bits(75, 0.8), [1] * 9]),
        macro_case([values(12), values(38, 0.2), bits(30, 0.3)]),
        macro_case([values(5)]),
    ],
    'pooled': [pooled_case([bits(20, 0.5), bits(75, 0.8), bits(9, 0.4)]), pooled_case([values(4), values(31)])],
    'paired': [paired_case(5), paired_case(200)],
    'mcnemar': [
        mcnemar_case(bits(10, 0.5), bits(10, 0.5)),
        mcnemar_case(bits(400, 0.6), bits(400, 0.5)),
        mcnemar_case([1] * 12, [0] * 12),
        mcnemar_case([1, 0, 1], [1, 0, 1]),
        mcnemar_case(bits(5000, 0.51), bits(5000, 0.5)),
    ],
    'signFlip': [
        sign_flip_case(5, 0.3, True),
        sign_flip_case(11, 0.6, True),
        sign_flip_case(40, 0.3, False),
        sign_flip_case(120, 0.05, False),
    ],
    'holm': [{'ps': p, 'expected': list(multipletests(p, method='holm')[1])} for p in ps],
    'spearman': [
        spearman_case(values(30), values(30)),
        spearman_case([rng.randint(1, 5) for _ in range(40)], [rng.randint(1, 9) for _ in range(40)]),
        spearman_case([1, 2], [4, 3]),
    ],
    'itemsNeeded': [
        {
            'difference': difference,
            'sd': sd,
            'expected': math.ceil(((Z + stats.norm.ppf(0.8)) * sd / difference) ** 2),
        }
        for difference, sd in ((0.01, 0.5), (0.05, 0.62), (0.2, 1.3))
    ],
}

out = Path(__file__).parents[2] / 'fixtures' / 'eval' / 'intervals.json'
out.parent.mkdir(exist_ok=True)
out.write_text(json.dumps(fixture, separators=(',', ':')) + '\n', encoding='utf-8')
print(out, out.stat().st_size, 'bytes')
