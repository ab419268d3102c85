import cv2
import numpy as np
import pytest

from speedmap.dataset.frames import frames
from speedmap.dataset.images import ImageError

GREYS = (40, 120, 200)


def grey(value):
    return np.full((48, 64, 3), value, np.uint8)


def means(source):
    return {name: round(image.mean()) for name, image in frames(source)}


def test_a_folder_gives_its_images_by_name_and_passes_over_the_rest(tmp_path):
    for value in GREYS:
        cv2.imwrite(str(tmp_path / f"{value:03}.png"), grey(value))
    (tmp_path / "notes.txt").write_text("none")
    assert means(tmp_path) == {"040.png": 40, "120.png": 120, "200.png": 200}
    assert means(tmp_path / "120.png") == {"120.png": 120}


def test_a_video_gives_its_frames_in_order(tmp_path):
    video = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 5, (64, 48))
    for value in GREYS:
        video.write(grey(value))
    video.release()
    greys = means(tmp_path / "v.avi")
    assert list(greys) == ["v-000001.jpg", "v-000002.jpg", "v-000003.jpg"]
    assert list(greys.values()) == pytest.approx(GREYS, abs=2)  # as far as JPEG keeps them


@pytest.mark.parametrize("name", ["text.txt", "empty", "gone.jpg"])
def test_a_source_without_images_is_named(tmp_path, name):
    (tmp_path / "text.txt").write_text("no image")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match=f"{name}: no image, no folder of images and no video"):
        list(frames(tmp_path / name))


def test_a_damaged_image_is_named(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), grey(40))
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    with pytest.raises(ImageError, match=r"a\.png: no readable image"):
        list(frames(tmp_path))
