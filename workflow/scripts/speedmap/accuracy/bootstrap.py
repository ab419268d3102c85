"""How far a mAP would move with other images: a bootstrap over groups of images, from pycocotools' own matches.

The images are drawn anew, with replacement, and the mAP is taken of each draw; how much it scatters is its error. A
jackknife would be cheaper, but precision is interpolated, so that leaving an image out moves a mAP by more than
counting it twice does: neither, nor their mean, gives the error of a difference.

Pairing is what makes small differences visible: two engines stumble over the same images, so that the error of their
difference is far below that of either mAP. Records therefore keep the mAP of every draw, which is the same for all, and
any two records on the same images can be compared later without evaluating again.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pycocotools.cocoeval import COCOeval

from speedmap.results.accuracy import Draws

GROUPS = 250  # bounds the work for large data sets
DRAWS = 400  # the error of the error is then 1 / sqrt(2 * 400) = 3.5%
SEED = 0  # of the draws, the same for all records
ALL_AREAS = 0  # index in COCOeval's params.areaRng
DIGITS = 6  # of the stored values, far below any error


@dataclass(frozen=True)
class Matches:
    """What a category's detections hit, best first, and where they come from.

    groups [d]: the group of images of each detection. hits, misses [thresholds, d]: true and false positives, neither
    where ignored. objects [groups]: how many there were to find.
    """

    groups: np.ndarray
    hits: np.ndarray
    misses: np.ndarray
    objects: np.ndarray


def draws(evaluation: COCOeval) -> Draws:
    """Return `map` and `map50`, fractions of 1, of every draw of groups of images; none for one image, drawn or not.

    evaluation: after evaluate(). Image i in the order of the ids belongs to group i modulo the number of groups.
    """
    groups = min(GROUPS, len(evaluation.params.imgIds))
    if groups < 2:
        return Draws()
    weights = np.random.default_rng(SEED).multinomial(groups, np.full(groups, 1 / groups), DRAWS)
    return Draws(**{name: values.round(DIGITS).tolist() for name, values in weighted(evaluation, weights).items()})


def weighted(evaluation: COCOeval, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Evaluate with each group of images counted as often as weights [replications, groups] say, in whole numbers.

    Returns `map` and `map50` [replications], fractions of 1, equal to COCOeval's where all weights are 1.
    """
    thresholds = evaluation.params.recThrs
    total, total50, present = (np.zeros(len(weights)) for _ in range(3))
    for matches in _categories(evaluation, weights.shape[1]):
        objects = weights @ matches.objects
        needed = _needed(objects, thresholds)
        precision = [
            _average_precision(hit, miss, matches.groups, weights, needed)
            for hit, miss in zip(matches.hits, matches.misses, strict=True)
        ]
        there = objects > 0  # a category without objects does not count, as with COCOeval
        total += np.mean(precision, axis=0) * there
        total50 += precision[0] * there
        present += there
    return {"map": total / np.maximum(present, 1), "map50": total50 / np.maximum(present, 1)}


def _categories(evaluation: COCOeval, groups: int) -> Iterator[Matches]:
    """Join each category's per-image results, over all areas, as COCOeval.accumulate does."""
    params = evaluation.params
    images, areas, limit = len(params.imgIds), len(params.areaRng), params.maxDets[-1]
    group_of = {image: index % groups for index, image in enumerate(params.imgIds)}
    for category in range(len(params.catIds)):
        start = (category * areas + ALL_AREAS) * images
        results = [result for result in evaluation.evalImgs[start : start + images] if result]
        if results:
            yield _joined(results, group_of, groups, limit)


def _joined(results: list[dict], group_of: dict[int, int], groups: int, limit: int) -> Matches:
    scores = np.concatenate([result["dtScores"][:limit] for result in results])
    order = np.argsort(-scores, kind="stable")
    origin = np.array([group_of[result["image_id"]] for result in results])
    matched = np.hstack([result["dtMatches"][:, :limit] for result in results])[:, order] != 0
    ignored = np.hstack([result["dtIgnore"][:, :limit] for result in results])[:, order] != 0
    objects = [np.count_nonzero(result["gtIgnore"] == 0) for result in results]
    return Matches(
        np.repeat(origin, [len(result["dtScores"][:limit]) for result in results])[order],
        matched & ~ignored,
        ~matched & ~ignored,
        np.bincount(origin, objects, groups).astype(int),
    )


def _needed(objects: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Count the hits that reach each recall threshold; [replications, thresholds] for [replications] objects."""
    objects = np.maximum(objects, 1)[:, None]
    needed = np.ceil(thresholds * objects).astype(int)
    # COCOeval compares quotients of floats: the product above may be one off from these
    needed -= (needed - 1) / objects >= thresholds
    return needed + (needed / objects < thresholds)


def _average_precision(
    hits: np.ndarray, misses: np.ndarray, groups: np.ndarray, weights: np.ndarray, needed: np.ndarray
) -> np.ndarray:
    """Average the interpolated precision over the recall thresholds; [replications].

    Only hits can raise the precision, so the curve is followed from hit to hit, and what lies between is counted.
    """
    places = np.flatnonzero(hits)
    if not len(places):
        return np.zeros(len(weights))
    before = np.searchsorted(places, np.flatnonzero(misses))  # the hit that each miss precedes
    between = np.zeros((weights.shape[1], len(places) + 1))
    np.add.at(between, (groups[misses], before), 1)
    true = np.cumsum(weights[:, groups[places]], axis=1)
    false = np.cumsum(weights @ between[:, :-1], axis=1)
    precision = true / (true + false + np.spacing(1))
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return np.pad(best, ((0, 0), (0, 1)))[np.arange(len(weights))[:, None], _first(true, needed)].mean(1)


def _first(rising: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Find in each row of whole numbers where it first reaches the wanted ones; its length where it never does."""
    width = rising.shape[1]
    step = max(rising[:, -1].max(), wanted.max()) + 1  # keeps the rows apart once they are joined into one
    shift = step * np.arange(len(rising))[:, None]
    index = np.searchsorted((rising + shift).ravel(), (wanted + shift).ravel()).reshape(wanted.shape)
    return np.minimum(index - width * np.arange(len(rising))[:, None], width)
