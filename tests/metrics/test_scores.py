"""Each score against an independent implementation, and where it is not defined."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference
from torchmetrics.functional.classification import multiclass_auroc, multiclass_matthews_corrcoef

from tumorscope.metrics import scores as metrics


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 200), classes=st.integers(2, 6))
def test_scores_of_the_confusion_matrix_equal_scikit_learn(seed: int, n: int, classes: int) -> None:
    """Per class and on average, nan where theirs is not defined."""
    draw = np.random.default_rng(seed)
    truth, predicted = draw.integers(0, classes, (2, n))
    names = list(range(classes))
    confusion = metrics.confusion_matrix(truth, predicted, classes)
    np.testing.assert_array_equal(
        confusion, reference.confusion_matrix(truth, predicted, labels=names)
    )
    precision, recall, f1, _ = reference.precision_recall_fscore_support(
        truth, predicted, labels=names, zero_division=np.nan
    )
    np.testing.assert_allclose(metrics.ppv(confusion), precision)
    np.testing.assert_allclose(metrics.sensitivity(confusion), recall)
    np.testing.assert_allclose(metrics.f1(confusion), f1)
    for number in names:
        others = reference.recall_score(
            truth != number, predicted != number, zero_division=np.nan, labels=[1], average=None
        )
        np.testing.assert_allclose(metrics.specificity(confusion)[number], others[0])
        answers = reference.precision_score(
            truth != number, predicted != number, zero_division=np.nan, labels=[1], average=None
        )
        np.testing.assert_allclose(metrics.npv(confusion)[number], answers[0])
    assert metrics.accuracy(confusion) == pytest.approx(np.mean(truth == predicted))
    assert metrics.balanced_accuracy(confusion) == pytest.approx(np.nanmean(recall))
    present = sorted(set(truth.tolist()))
    for average in ("macro", "weighted"):  # over the classes that have images, as balanced accuracy
        expected = reference.precision_recall_fscore_support(
            truth, predicted, labels=present, average=average, zero_division=0
        )
        for name, value in zip(("precision", None, "f1"), expected, strict=False):
            if name is not None:
                ours = getattr(metrics, f"{average}_{name}")(confusion)
                assert ours == pytest.approx(value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs divides by nothing where ours is nan
        kappa = reference.cohen_kappa_score(truth, predicted, labels=names)
    np.testing.assert_allclose(metrics.kappa(confusion), kappa, atol=1e-12)
    mcc = float(metrics.mcc(confusion))
    if np.isnan(mcc):
        assert len(set(truth.tolist())) == 1 or len(set(predicted.tolist())) == 1
    else:
        assert mcc == pytest.approx(reference.matthews_corrcoef(truth, predicted))


def test_many_confusion_matrices_are_scored_at_once() -> None:
    """A stack gives what each of its matrices gives alone."""
    stack = np.random.default_rng(0).integers(0, 9, (5, 3, 3))
    for score in (metrics.accuracy, metrics.macro_f1, metrics.kappa, metrics.mcc, metrics.npv):
        together = score(stack)
        for number, confusion in enumerate(stack):
            np.testing.assert_array_equal(together[number], score(confusion))


def test_predictive_values_at_a_stated_prevalence_follow_bayes() -> None:
    """Sensitivity 90 %, specificity 80 %: at 1 % prevalence 4.3 % of alarms are right."""
    confusion = np.array([[90, 10], [20, 80]])
    assert metrics.ppv(confusion, [0.01, 0.99])[0] == pytest.approx(0.009 / (0.009 + 0.198))
    assert metrics.npv(confusion, [0.01, 0.99])[0] == pytest.approx(0.792 / (0.792 + 0.001))
    share = [0.5, 0.5]
    np.testing.assert_allclose(metrics.ppv(confusion, share), metrics.ppv(confusion))


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 120))
def test_rankings_equal_scikit_learn_with_ties_and_weights(seed: int, n: int) -> None:
    """AUROC and average precision of rounded scores and whole weights, some of them 0."""
    draw = np.random.default_rng(seed)
    own, scores = draw.random(n) < 0.4, np.round(draw.random(n), 1)
    weights = draw.integers(0, 3, n).astype(float)
    ranking = metrics.Ranking(own, scores)
    if not weights[own].sum() or not weights[~own].sum():
        assert np.isnan(ranking.auroc(weights))
        return
    theirs = reference.roc_auc_score(own, scores, sample_weight=weights)
    assert ranking.auroc(weights) == pytest.approx(theirs)
    theirs = reference.average_precision_score(own, scores, sample_weight=weights)
    assert ranking.average_precision(weights) == pytest.approx(theirs)


def test_losses_and_rankings_equal_torch() -> None:
    """Likelihood, AUROC and Matthews' coefficient agree with PyTorch and torchmetrics."""
    draw = np.random.default_rng(1)
    logits = torch.from_numpy(np.round(draw.normal(size=(300, 4)), 1))
    chances, truth = torch.softmax(logits, 1), torch.from_numpy(draw.integers(0, 4, 300))
    theirs = multiclass_auroc(chances, truth, 4, average="none").numpy()
    ours = [
        metrics.Ranking(truth.numpy() == k, chances.numpy()[:, k]).auroc(np.ones(300))
        for k in range(4)
    ]
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    loss = float(torch.nn.functional.cross_entropy(logits, truth))
    assert metrics.log_losses(truth.numpy(), chances.numpy()).mean() == pytest.approx(loss)
    confusion = metrics.confusion_matrix(truth.numpy(), chances.numpy().argmax(1), 4)
    theirs_mcc = float(multiclass_matthews_corrcoef(chances, truth, 4))
    assert metrics.mcc(confusion) == pytest.approx(theirs_mcc, abs=1e-6)


def test_brier_of_two_classes_is_twice_scikit_learns() -> None:
    """Theirs looks at one class, ours at both."""
    draw = np.random.default_rng(2)
    truth, chance = draw.integers(0, 2, 50), draw.random(50)
    theirs = reference.brier_score_loss(truth, chance)
    ours = metrics.brier_scores(truth, np.stack([1 - chance, chance], 1)).mean()
    assert ours == pytest.approx(2 * theirs)


def test_the_area_under_risk_is_the_mean_over_all_orders_of_ties() -> None:
    """Equally sure answers count as if each stood first equally often."""
    wrong = np.array([True, False, False, True])
    sure = np.array([0.9, 0.9, 0.5, 0.4])
    orders = [[True, False, False, True], [False, True, False, True]]
    expected = np.mean([np.cumsum(o) / np.arange(1, 5) for o in orders], axis=0)
    np.testing.assert_allclose(metrics.risk_at_coverage(wrong, sure, np.ones(4)), expected)
    assert metrics.area_under_risk(wrong, sure, np.ones(4)) == pytest.approx(expected.mean())
    twice = metrics.area_under_risk(wrong, sure, np.full(4, 2.0))
    assert twice == pytest.approx(expected.mean())


def test_a_ranking_without_both_kinds_is_not_defined() -> None:
    """A class without images, and a certain mistake that keeps the log loss finite."""
    nobody = metrics.Ranking(np.zeros(3, bool), np.array([0.1, 0.2, 0.3]))
    assert np.isnan(nobody.auroc(np.ones(3)))
    assert np.isnan(nobody.average_precision(np.ones(3)))
    empty = np.zeros((3, 3), int)
    assert np.isnan(metrics.accuracy(empty))
    assert np.isnan(metrics.balanced_accuracy(empty))
    assert np.isfinite(metrics.log_losses(np.array([0]), np.array([[0.0, 1.0]]))).all()
