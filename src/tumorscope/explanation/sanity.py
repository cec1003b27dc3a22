"""Whether maps may be believed: they must change with the weights, and find what matters.

Sources: Adebayo et al. (2018), Sanity checks for saliency maps; Petsiuk, Das and Saenko (2018), for
deletion and insertion.
"""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tumorscope.explanation.class_maps import class_maps
from tumorscope.explanation.explain import enlarged
from tumorscope.explanation.pictures import Pictures
from tumorscope.explanation.reliance import Answering, answered
from tumorscope.model import Classifier
from tumorscope.model.ensemble import JoinedTrunk
from tumorscope.schema.explained import Sanity

STEPS = 6  # parts in which the trunk's weights are drawn anew
LIKE = 0.5  # rank correlation from which on maps of a network of random weights are the same
CELLS = 14  # a side, of the places that are taken away or put in
SHARES = 8  # of the places, in equal steps


def check_maps(
    network: Classifier, model: Answering, pictures: Pictures, method: str
) -> Sanity | None:
    """Say whether the maps of a method may be believed.

    Args:
        network: in evaluation mode.
        model: the same as it answers.
        pictures: some images.
        method: a name in `CLASS_MAPS`, or `attention`.

    Returns:
        None without images.
    """
    if not len(pictures):
        return None
    images = torch.from_numpy(pictures.pixels).float().unsqueeze(1)
    answers = answered(model, pictures.pixels).argmax(axis=1)
    labels = torch.from_numpy(answers)
    maps = class_maps(network, images, labels, (method,))[method]
    blocks, likeness = _likeness(network, images, labels, method, maps)
    areas = _areas(model, pictures.pixels, answers, maps)
    deletion, insertion, random_deletion, random_insertion = (
        pictures.mean(column) for column in areas.T
    )
    return Sanity(
        method=method,
        blocks=blocks,
        likeness=likeness,
        trusted=likeness[-1] < LIKE,
        deletion=deletion,
        insertion=insertion,
        random_deletion=random_deletion,
        random_insertion=random_insertion,
        images=len(pictures),
    )


def _likeness(
    network: Classifier,
    images: torch.Tensor,
    labels: torch.Tensor,
    method: str,
    maps: NDArray[np.float32],
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Draw weights anew from the answer backwards, and compare maps after each part."""
    changed = copy.deepcopy(network)
    learned = _learned(changed.trunk)
    parts = np.array_split(np.arange(len(learned))[::-1], STEPS)
    steps: list[tuple[str, Sequence[nn.Module]]] = [
        ("head", [*changed.pool.modules(), *changed.head.modules()])
    ]
    steps += [
        (f"from {learned[own[-1]][0]}", [module for n in own for module in learned[n][1]])
        for own in parts
        if len(own)
    ]
    names, likeness = [], []
    torch.manual_seed(0)
    for name, modules in steps:
        for module in modules:
            reset = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()
        other = class_maps(changed, images, labels, (method,))[method]
        names.append(name)
        pairs = zip(maps, other, strict=True)
        likeness.append(float(np.mean([_rank_correlation(*pair) for pair in pairs])))
    return tuple(names), tuple(likeness)


def _learned(trunk: nn.Module) -> list[tuple[str, Sequence[nn.Module]]]:
    """Return the layers that can be drawn anew, in order; those of several networks together."""
    if isinstance(trunk, JoinedTrunk):
        members = zip(*(_learned(member) for member in trunk.members), strict=True)
        behind = [
            (f"member {own[0][0]}", [module for _, modules in own for module in modules])
            for own in members
        ]
        return [*_learned(trunk.front), *behind]
    named = trunk.named_modules()
    return [(name, [module]) for name, module in named if hasattr(module, "reset_parameters")]


def _rank_correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return Spearman's correlation of two maps, 0 where one is even."""
    from scipy.stats import rankdata  # noqa: PLC0415 (of an extra)

    ranks = np.stack([rankdata(first.flat), rankdata(second.flat)])
    if (ranks.std(axis=1) == 0).any():
        return 0.0
    return float(np.corrcoef(ranks)[0, 1])


def _areas(
    model: Answering,
    pixels: NDArray[np.uint8],
    answers: NDArray[np.intp],
    maps: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Return the area under deletion and insertion, by the map and in random order, (n, 4)."""
    draw = np.random.default_rng(0)
    areas = np.empty((len(pixels), 4))
    for n, (image, found) in enumerate(zip(pixels, maps, strict=True)):
        by_map = enlarged(enlarged(found, len(image)), CELLS).flatten()
        orders = (np.argsort(-by_map, kind="stable"), draw.permutation(by_map.size))
        for k, order in enumerate(orders):
            shown = _uncovered(image, order)
            chances = model.probabilities(shown)[:, answers[n]].astype(np.float64)
            taken, put = chances[: SHARES + 1], chances[SHARES + 1 :]
            areas[n, [2 * k, 2 * k + 1]] = np.trapezoid(taken) / SHARES, np.trapezoid(put) / SHARES
    return areas


def _uncovered(image: NDArray[np.uint8], order: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return an image with ever more places hidden, then with ever more shown."""
    side, mean = len(image), round(float(image.mean()))
    rank = np.empty(order.size, np.intp)
    rank[order] = np.arange(order.size)
    cells = (np.arange(side) * CELLS) // side
    ranks = rank.reshape(CELLS, CELLS)[np.ix_(cells, cells)]
    limits = np.arange(SHARES + 1) / SHARES * order.size
    hidden = [np.where(ranks < limit, mean, image) for limit in limits]
    shown = [np.where(ranks < limit, image, mean) for limit in limits]
    return np.stack([*hidden, *shown]).astype(np.uint8)
