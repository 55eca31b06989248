"""Paper arXiv 2406.19032: its vote patterns, and what its 50th percentile keeps, from its own bucket counts.

The counts are read off the paper's figures 3 and 5 (weak model Llama-2-7B): rows (one answer each) per
entropy level, wrong and right. The tables of labels below hold exactly those counts, and the functions
that users call do the rest.
"""

from fractions import Fraction

import numpy as np
import pytest

from outgrow.core.tables import ANSWERS, build
from outgrow.evaluation import auroc, entropy_levels
from outgrow.reliability import agreement, published_filter, row_reliability

PATTERNS = [  # K = 5, T = .2: votes, H, R per distinct answer, sum of R over the question's rows
    ((5,), 0.0, (1.0,), 5.0),
    ((4, 1), 0.5004, (0.9526, 0.0474), 3.8577),
    ((3, 2), 0.6730, (0.7311, 0.2689), 2.7311),
    ((3, 1, 1), 0.9503, (0.7870, 0.1065, 0.1065), 2.5740),
    ((2, 2, 1), 1.0549, (0.4223, 0.4223, 0.1554), 1.8446),
    ((2, 1, 1, 1), 1.3322, (0.4754, 0.1749, 0.1749, 0.1749), 1.4754),
    ((1, 1, 1, 1, 1), 1.6094, (0.2,) * 5, 1.0),
]
PRINTED = 1e-4  # the table has four decimals


def answers_of(questions):
    """Answers of one source; one list of values per question."""
    rows = [(f"q{i:05}", k, value) for i, values in enumerate(questions) for k, value in enumerate(values)]
    ids, variants, values = zip(*rows, strict=True)
    n = len(ids)
    return build(
        ANSWERS,
        {"example_id": ids, "source": ["weak"] * n, "variant": variants, "sample": [0] * n, "value": values},
    )


@pytest.mark.parametrize(("votes", "entropy", "reliability", "total"), PATTERNS)
def test_five_answers(votes, entropy, reliability, total):
    answers = answers_of([[f"answer {i}" for i, n in enumerate(votes) for _ in range(n)]])
    (label,) = agreement(answers).to_pylist()
    rows = row_reliability(answers)
    assert label["entropy"] == pytest.approx(entropy, abs=PRINTED)
    assert label["reliability"] == pytest.approx(max(reliability), abs=PRINTED) or votes == (2, 2, 1)
    assert label["reliability"] == pytest.approx(reliability[0], abs=PRINTED)
    np.testing.assert_allclose(rows, np.repeat(reliability, votes), atol=PRINTED)
    assert rows.sum() == pytest.approx(total, abs=PRINTED)


@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_two_answers(temperature):
    agree, split = agreement(answers_of([["0", "0"], ["0", "1"]]), temperature=temperature).to_pylist()
    assert (agree["entropy"], agree["reliability"]) == (0.0, 1.0)
    assert split["entropy"] == pytest.approx(0.6931, abs=PRINTED)
    assert split["reliability"] == 0.5
    np.testing.assert_array_equal(row_reliability(answers_of([["0", "1"]]), temperature=temperature), [0.5, 0.5])


FIVE = {0.0: (5,), 0.5004: (4, 1), 0.6730: (3, 2), 0.9503: (3, 1, 1), 1.0549: (2, 2, 1), 1.3322: (2, 1, 1, 1)}
BUCKETS = {  # entropy: rows wrong, rows right
    "HellaSwag": {
        0.0: (645, 13175),
        0.5004: (1572, 3138),
        0.6730: (1451, 1394),
        0.9503: (956, 724),
        1.0549: (1003, 507),
        1.3322: (312, 123),
    },
    "MMLU": {
        0.0: (215, 970),
        0.5004: (617, 578),
        0.6730: (725, 365),
        0.9503: (1062, 503),
        1.0549: (1205, 455),
        1.3322: (495, 180),
    },
    "ETHICS": {0.0: (2036, 8016), 0.6931: (1117, 2724)},
}
EXPECTED = {  # tau, rows kept, rows in all, accuracy kept, accuracy of all, AUROC of -H, share kept
    "HellaSwag": (0.0, 13820, 25000, 0.953, 0.762, 0.831, 0.553),
    "MMLU": (0.9503, 5035, 7370, 0.480, 0.414, 0.689, 0.683),
    "ETHICS": (0.0, 10052, 13893, 0.797, 0.773, 0.550, 0.724),
}
ROUNDED = 5e-4 + 1e-9  # these are printed with three decimals; exact values are derived below and met to 1e-12


def table_of(dataset):
    """Answers with the dataset's counts, and whether each valid answer is right."""
    if dataset == "ETHICS":
        # 5026 unanimous pairs and 1929 split ones; 17 of the latter's answers could not be parsed (13910 - 13893)
        values = [["0", "0"]] * 5026 + [["0", "1"]] * 1912 + [["0", None]] * 17
    else:
        values = []
        for entropy, (wrong, right) in BUCKETS[dataset].items():
            pattern = [f"answer {i}" for i, n in enumerate(FIVE[entropy]) for _ in range(n)]
            assert (wrong + right) % 5 == 0
            values += [pattern] * ((wrong + right) // 5)
    answers = answers_of(values)
    correct = np.concatenate([np.arange(w + r) < r for w, r in BUCKETS[dataset].values()])
    return answers.filter(answers.column("value").is_valid()), agreement(answers), correct


@pytest.mark.parametrize("dataset", BUCKETS)
def test_what_the_fiftieth_percentile_keeps(dataset):
    answers, labels, correct = table_of(dataset)
    tau, n_kept, n_rows, accuracy_kept, accuracy, printed_auroc, share = EXPECTED[dataset]
    assert answers.num_rows == len(correct) == n_rows
    entropy = dict(zip(labels.column("example_id").to_pylist(), labels.column("entropy").to_pylist(), strict=True))
    score = -np.array([entropy[q] for q in answers.column("example_id").to_pylist()])

    found = {round(level.entropy, 4): (level.wrong, level.right) for level in entropy_levels(-score, correct)}
    assert list(found.values()) == list(BUCKETS[dataset].values())
    np.testing.assert_allclose(list(found), list(BUCKETS[dataset]), atol=PRINTED)

    kept = published_filter(labels, percentile=50)
    assert float(kept.schema.metadata[b"threshold"]) == pytest.approx(tau, abs=PRINTED)
    chosen = set(kept.column("example_id").to_pylist())
    stays = np.array([q in chosen for q in answers.column("example_id").to_pylist()])
    assert int(stays.sum()) == n_kept
    assert stays.mean() == pytest.approx(n_kept / n_rows, abs=1e-12)
    assert stays.mean() == pytest.approx(share, abs=ROUNDED)

    counts = list(BUCKETS[dataset].items())
    below = [(w, r) for h, (w, r) in counts if h <= tau + PRINTED]
    right, wrong = sum(r for _, (_, r) in counts), sum(w for _, (w, _) in counts)
    exact_kept = Fraction(sum(r for _, r in below), sum(w + r for w, r in below))
    assert correct[stays].mean() == pytest.approx(float(exact_kept), abs=1e-12)
    assert correct[stays].mean() == pytest.approx(accuracy_kept, abs=ROUNDED)
    assert correct.mean() == pytest.approx(accuracy, abs=ROUNDED)

    pairs = sum(
        Fraction(r * w, 2 if i == j else 1)
        for i, (_, (_, r)) in enumerate(counts)
        for j, (_, (w, _)) in enumerate(counts)
        if i <= j
    )
    exact = float(pairs / (right * wrong))  # right rows of lower entropy than wrong ones, ties one half
    assert auroc(score, correct) == pytest.approx(exact, abs=1e-12)
    assert exact == pytest.approx(printed_auroc, abs=ROUNDED)


def test_a_strict_filter_would_keep_what_the_paper_file_says():
    # H < tau: nothing on HellaSwag and ETHICS, 3470 rows with accuracy .551 on MMLU
    _, labels, correct = table_of("MMLU")
    tau = float(published_filter(labels).schema.metadata[b"threshold"])
    rows = np.repeat(labels.column("entropy").to_numpy(), labels.column("n_valid").to_numpy())
    assert int((rows < tau).sum()) == 3470
    assert correct[rows < tau].mean() == pytest.approx(0.551, abs=ROUNDED)
    for dataset in ("HellaSwag", "ETHICS"):
        _, labels, _ = table_of(dataset)
        assert float(published_filter(labels).schema.metadata[b"threshold"]) == 0.0
