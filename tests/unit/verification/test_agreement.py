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
