"""Each score against an independent implementation, and where it is not defined."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference
from torchmetrics.functional.classification import multiclass_auroc

from tumorscope import metrics


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 200), classes=st.integers(2, 6))
def test_scores_equal_scikit_learn(seed: int, n: int, classes: int) -> None:
    """Confusion, precision, recall, F1 and their means agree on random answers."""
    draw = np.random.default_rng(seed)
    truth, predicted = draw.integers(0, classes, (2, n))
    names = list(range(classes))
    confusion = metrics.confusion_matrix(truth, predicted, classes)
    np.testing.assert_array_equal(
        confusion, reference.confusion_matrix(truth, predicted, labels=names)
    )
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        truth, predicted, labels=names, zero_division=np.nan
    )
    for k in names:
        for ours, theirs in (
            (metrics.precision(confusion, k), precision[k]),
            (metrics.recall(confusion, k), recall[k]),
            (metrics.f1(confusion, k), f1[k]),
        ):
            assert (ours is None) == bool(np.isnan(theirs))
            assert ours is None or ours == pytest.approx(theirs)
    assert metrics.accuracy(confusion) == pytest.approx(np.mean(truth == predicted))
    assert metrics.balanced_accuracy(confusion) == pytest.approx(np.nanmean(recall))
    assert metrics.macro_f1(confusion) == pytest.approx(np.nanmean(f1))
    assert support.sum() == n


def test_auroc_and_log_loss_equal_torch() -> None:
    """Ranking and likelihood agree with torchmetrics and PyTorch, ties included."""
    draw = np.random.default_rng(1)
    logits = np.round(draw.normal(size=(300, 4)), 1)
    probabilities = torch.softmax(torch.from_numpy(logits), 1).numpy()
    truth = draw.integers(0, 4, 300)
    theirs = multiclass_auroc(
        torch.from_numpy(probabilities), torch.from_numpy(truth), 4, average="none"
    )
    ours = [metrics.auroc(truth, probabilities, k) for k in range(4)]
    np.testing.assert_allclose(np.array(ours, float), theirs.numpy(), atol=1e-6)
    assert metrics.macro_auroc(truth, probabilities) == pytest.approx(float(theirs.mean()))
    loss = torch.nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(truth))
    assert metrics.log_loss(truth, probabilities) == pytest.approx(float(loss))


def test_undefined_scores_are_none_and_never_nan() -> None:
    """A class without images, and no images at all."""
    none = np.array([], dtype=np.intp)
    empty = metrics.confusion_matrix(none, none, 3)
    assert metrics.accuracy(empty) is None
    assert metrics.balanced_accuracy(empty) is None
    assert metrics.log_loss(none, np.empty((0, 3))) is None
    truth = np.array([0, 0, 1])
    answers = np.array([[0.6, 0.4, 0.0], [0.3, 0.7, 0.0], [0.2, 0.8, 0.0]])
    assert metrics.auroc(truth, answers, 2) is None
    assert metrics.macro_auroc(truth, answers) is not None
    certain = np.array([[0.0, 1.0]])
    assert np.isfinite(metrics.log_loss(np.array([0]), certain) or np.inf)
