from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from speedmap.verification import agreement


class Session:
    """Return what the reference gives, but for noise in what lies below 0.05."""

    def load(self, batch):
        self.batch = batch

    def run(self):
        return 1.0

    def fetch(self):
        output = outputs(self.batch)
        output[..., 5:] = np.where(output[..., 5:] < 0.05, output[..., 5:] + [[[0.004, 0]]], output[..., 5:])
        return output


def outputs(batch):
    """See one thing where an image is bright, next to nothing where it is dark."""
    output = np.zeros((1, 20, 7), np.float32)
    output[..., 2:5] = 1
    output[..., 6] = 0.001
    output[0, 0, 5] = 0.9 if batch.max() > 0.5 else 0.001
    return output


@pytest.fixture
def folder(tmp_path):
    for index, grey in enumerate([40] * 10 + [250] * 2):
        cv2.imwrite(str(tmp_path / f"{index:02}.png"), np.full((32, 32, 3), grey, np.uint8))
    return sorted(map(str, tmp_path.iterdir()))


REFERENCE = SimpleNamespace(run=lambda names, feed: [outputs(feed["images"])])


def test_an_engine_is_judged_by_images_in_which_something_is_seen(folder):
    found = agreement.agreement(Session(), REFERENCE, folder, 32, dynamic=False)
    assert found.images == 2
    assert found.scores > 0.99


def test_where_nothing_is_seen_any_images_must_do(folder):
    found = agreement.agreement(Session(), REFERENCE, folder[:10], 32, dynamic=False)
    assert found.images == 8
    assert found.scores < 0.9


class Detector:
    """Sees 30 things, of which the first are the surest, and as many as an image is bright; a session and a graph."""

    def __init__(self, change=None):
        self.change = change or (lambda output, bright: None)

    def load(self, batch):
        self.output = np.zeros((1, 30, 7), np.float32)
        self.output[..., :4] = [50, 50, 10, 10]
        self.output[..., 4] = 1
        self.output[0, :, 5] = np.linspace(0.9, 0.1, 30)
        self.change(self.output[0], round(255 * float(batch.max())))

    def run(self, names=None, feed=None):
        if feed:
            self.load(feed["images"])
        return [self.output]

    def fetch(self):
        return self.output


@pytest.fixture
def compared(tmp_path):
    """Compare a detector that is off by some change with one that is not, on images of brightness 1, 2 and 3."""

    def compare(change):
        for grey in (1, 2, 3):
            cv2.imwrite(str(tmp_path / f"{grey}.png"), np.full((32, 32, 3), grey, np.uint8))
        files = sorted(map(str, tmp_path.iterdir()))
        return agreement.agreement(Detector(change), Detector(), files, 32, dynamic=False)

    return compare


def test_an_engine_that_does_what_its_graph_does_agrees(compared):
    same = compared(None)
    assert (same.scores, same.boxes, same.images) == (pytest.approx(1), pytest.approx(1), 3)


def test_scores_agree_as_little_as_in_the_worst_image(compared):
    def change(output, bright):
        if bright == 2:
            output[:, 5], output[:, 6] = 0.6 * output[:, 5], 0.8 * output[:, 5]

    assert compared(change).scores == pytest.approx(0.6)


@pytest.mark.parametrize(("moved", "overlap"), [(slice(0, 12), 1 / 3), (slice(0, 8), 1), (slice(20, 30), 1)])
def test_boxes_agree_as_the_middle_one_of_the_surest_twenty_does(compared, moved, overlap):
    def change(output, bright):
        output[moved, 0] += 5  # half a box to the right: 50 of 150 in common

    assert compared(change).boxes == pytest.approx(overlap)


class Batched(Detector):
    """Runs several images; `change` is told the position of each, too."""

    def load(self, batch):
        alone = [Detector(lambda output, bright, at=at: self.change(output, bright, at)) for at in range(len(batch))]
        for detector, image in zip(alone, batch, strict=True):
            detector.load(image[None])
        self.output = np.concatenate([detector.output for detector in alone])


@pytest.fixture
def compared_in_batches(tmp_path):
    def compare(change, batch):
        for grey in (1, 2, 3):
            cv2.imwrite(str(tmp_path / f"{grey}.png"), np.full((32, 32, 3), grey, np.uint8))
        files = sorted(map(str, tmp_path.iterdir()))
        return agreement.agreement(Batched(change), Detector(), files, 32, dynamic=False, batch=batch)

    return compare


@pytest.mark.parametrize("batch", [2, 3, 8])
def test_every_image_is_compared_in_every_position_of_a_batch(compared_in_batches, batch):
    seen = set()
    same = compared_in_batches(lambda output, bright, at: seen.add((bright, at)), batch)
    assert seen == {(bright, at) for bright in (1, 2, 3) for at in range(batch)}
    assert (same.scores, same.images) == (pytest.approx(1), 3)


def test_a_batch_that_is_wrong_for_one_image_in_one_position_disagrees(compared_in_batches):
    def change(output, bright, at):
        if (bright, at) == (2, 7):
            output[:, 5], output[:, 6] = 0.6 * output[:, 5], 0.8 * output[:, 5]

    assert compared_in_batches(change, 8).scores == pytest.approx(0.6)
