"""Downloads from a local server that is slow, drops the line, and lies."""

import hashlib
import json
import random
import shutil
import threading
import time
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import cv2
import msgspec
import numpy as np
import pytest

from speedmap.dataset import calibration_images, download, unzip
from speedmap.run import downloads
from speedmap.run.settings import DataSet, Model, Source, Sources

DATA = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(DATA).hexdigest()


# --- the server ---------------------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Range")))
        replies = self.server.replies
        reply = replies.pop(0) if isinstance(replies, list) else replies[self.path]
        reply(self)

    def start(self, status, **headers):
        self.send_response(status)
        self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def serve(monkeypatch):
    """Start a server that gives the replies one after the other, or by path; returns its url and the requests seen."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    servers = []

    def start(*replies, paths=None):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.replies, server.requests = paths or list(replies), []
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}", requests=server.requests)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def whole(data):
    """Answer with all of the data, whatever range was asked for."""

    def reply(handler):
        handler.start(200, Content_Length=len(data))
        handler.wfile.write(data)

    return reply


def ranged(data, upto=None):
    """Answer with the range asked for, or its beginning."""

    def reply(handler):
        first = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        body = data[first:upto]
        span = f"bytes {first}-{first + len(body) - 1}/{len(data)}"
        handler.start(206, Content_Length=len(body), Content_Range=span)
        handler.wfile.write(body)

    return reply


def cut(data, at, hang=0):
    """Promise all of the data and send its beginning, then be silent for a while and drop the line."""

    def reply(handler):
        handler.start(200, Content_Length=len(data))
        handler.wfile.write(data[:at])
        time.sleep(hang)

    return reply


def slow(data, pieces=10, pause=0.02):
    """Answer in pieces with pauses between, but never stop."""

    def reply(handler):
        handler.start(200, Content_Length=len(data))
        size = -(-len(data) // pieces)
        for start in range(0, len(data), size):
            handler.wfile.write(data[start : start + size])
            time.sleep(pause)

    return reply


def answer(status, **headers):
    """Answer with headers alone."""
    return lambda handler: handler.start(status, Content_Length=0, **headers)


# --- one file -----------------------------------------------------------------------------------------------------


@pytest.fixture
def offline(monkeypatch):
    """Return the url of a server that has just gone."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def target(tmp_path):
    return tmp_path / "resources" / "yolov5s.pt"


def part(target):
    return target.with_name(f"{target.name}.part")


def refused(url, target, sha256=SHA256):
    """Fetch in vain; returns the message, one line, and makes sure that nothing took the target's place."""
    with pytest.raises(download.FetchError) as caught:
        download.fetch(url, target, sha256)
    assert not target.exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_good_server_is_asked_once_for_all(serve, target):
    server = serve(whole(DATA))
    download.fetch(f"{server.url}/s.pt", target, SHA256)
    assert target.read_bytes() == DATA
    assert server.requests == [("/s.pt", None)]
    assert not part(target).exists()


def test_a_dropped_download_goes_on_where_it_stopped(serve, target):
    server = serve(cut(DATA, 200_000), ranged(DATA))
    message = refused(server.url, target)
    kept = part(target).stat().st_size
    assert 200_000 - download.CHUNK <= kept <= 200_000
    assert f"broken off after {kept} of 300000 bytes" in message
    download.fetch(server.url, target, SHA256)
    assert target.read_bytes() == DATA
    assert [asked for _, asked in server.requests] == [None, f"bytes={kept}-"]
    assert not part(target).exists()


def test_a_range_that_ends_early_is_no_complete_file(serve, target):
    server = serve(cut(DATA, 100_000), ranged(DATA, upto=250_000), ranged(DATA))
    refused(server.url, target)
    assert "broken off after 250000 of 300000 bytes (end of data)" in refused(server.url, target)
    download.fetch(server.url, target, SHA256)
    assert target.read_bytes() == DATA
    assert server.requests[2][1] == "bytes=250000-"


def test_a_server_without_ranges_sends_it_all_again(serve, target):
    server = serve(cut(DATA, 200_000), whole(DATA))
    refused(server.url, target)
    download.fetch(server.url, target, SHA256)
    assert target.read_bytes() == DATA


def test_a_range_that_starts_elsewhere_is_refused_and_the_next_attempt_is_fresh(serve, target):
    lie = answer(206, Content_Range="bytes 0-299999/300000")
    server = serve(cut(DATA, 200_000), lie, whole(DATA))
    refused(server.url, target)
    assert "it sends 'bytes 0-299999/300000'" in refused(server.url, target)
    download.fetch(server.url, target, SHA256)
    assert server.requests[2][1] is None


def test_a_part_that_is_complete_only_needs_its_hash(serve, target):
    part(target).parent.mkdir()
    part(target).write_bytes(DATA)
    download.fetch(serve(answer(416)).url, target, SHA256)
    assert target.read_bytes() == DATA


def test_a_lie_is_thrown_away_and_both_hashes_are_named(serve, target):
    lie = b"<html>Please log in</html>"
    server = serve(whole(lie))
    message = refused(server.url, target)
    assert all(word in message for word in (server.url, SHA256, hashlib.sha256(lie).hexdigest()))
    assert not part(target).exists()


def test_without_a_hash_two_pieces_are_never_joined(serve, target):
    server = serve(cut(DATA, 200_000), whole(DATA))
    refused(server.url, target, sha256=None)
    download.fetch(server.url, target)
    assert [asked for _, asked in server.requests] == [None, None]


def test_a_slow_server_is_waited_for(serve, target, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", (1, 0.15))
    download.fetch(serve(slow(DATA)).url, target, SHA256)  # takes 0.2 s in all
    assert target.read_bytes() == DATA


def test_a_silent_server_is_not(serve, target, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", (1, 0.1))
    message = refused(serve(cut(DATA, 200_000, hang=0.3)).url, target)
    assert "broken off" in message
    assert part(target).stat().st_size > 0


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/s.pt", "data:text/plain,hello"])
def test_redirects_lead_to_http_alone(serve, target, location):
    message = refused(serve(answer(302, Location=location)).url, target)
    assert "not http(s)" in message
    assert location in message


def test_redirects_over_http_are_followed(serve, target):
    release = serve(whole(DATA))
    download.fetch(serve(answer(302, Location=f"{release.url}/signed")).url, target, SHA256)
    assert target.read_bytes() == DATA


def test_the_host_that_cannot_be_reached_is_named_even_behind_a_redirect(serve, offline, target):
    message = refused(serve(answer(302, Location=f"{offline}/signed")).url, target)
    assert f"cannot reach {offline.removeprefix('http://')}" in message


def test_redirects_in_a_circle_end(serve, target):
    server = serve(paths={"/s.pt": answer(302, Location="/s.pt")})
    assert "30 redirects" in refused(f"{server.url}/s.pt", target)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/s.pt", "/etc/passwd", "http://"])
def test_other_urls_are_refused(target, url):
    assert "not http(s)" in refused(url, target)


def test_a_missing_file_is_named(serve, target):
    server = serve(answer(404))
    message = refused(f"{server.url}/v7.0/s.pt", target)
    assert f"{server.url}/v7.0/s.pt: the server says 404 Not Found" in message


def test_offline_says_where_to_put_the_file(offline, target):
    assert refused(f"{offline}/s.pt", target) == (
        f"cannot reach {offline.removeprefix('http://')} to fetch yolov5s.pt (ConnectionError); "
        f"get it elsewhere and put it at {target} (sha256 {SHA256})"
    )


@pytest.mark.parametrize("proxy", ["http://", "socks5://127.0.0.1:9", "http://127.0.0.1:9"])
def test_a_proxy_that_does_not_work_is_blamed_and_not_the_url(target, monkeypatch, proxy):
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy)
    message = refused("https://example.org/s.pt", target)
    assert "cannot fetch yolov5s.pt by the proxy in http_proxy or https_proxy" in message


@pytest.mark.parametrize(("name", "free", "fits"), [("a.pt", 300_000, True), ("a.pt", 299_999, False),
                                                    ("a.zip", 600_000, True), ("a.zip", 599_999, False)])  # fmt: skip
def test_disk_space_is_looked_at_first(serve, tmp_path, monkeypatch, name, free, fits):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    target, url = tmp_path / name, serve(whole(DATA)).url
    if fits:
        download.fetch(url, target, SHA256)
    else:
        assert f"fetching {name} needs" in refused(url, target)
        assert not part(target).exists()


def test_a_resumed_download_needs_room_for_the_rest_alone(serve, target, monkeypatch):
    part(target).parent.mkdir()
    part(target).write_bytes(DATA[:200_000])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100_000))
    download.fetch(serve(ranged(DATA)).url, target, SHA256)
    assert target.read_bytes() == DATA


# --- archives -----------------------------------------------------------------------------------------------------


def make_zip(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_only_the_wanted_folder_is_unpacked(tmp_path):
    names = ("val/", "val/1.jpg", "val/deep/2.jpg", "valuable/3.jpg", "../4.jpg")
    unzip.unpack(make_zip(tmp_path / "a.zip", **dict.fromkeys(names, b"")), "val/", tmp_path / "coco" / "val2017")
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"a.zip", "coco/val2017/1.jpg", "coco/val2017/deep/2.jpg"}


def test_a_single_file_is_unpacked(tmp_path):
    archive = make_zip(tmp_path / "a.zip", **{"annotations/val.json": b"{}", "annotations/val.json.bak": b"no"})
    unzip.unpack(archive, "annotations/val.json", tmp_path / "coco" / "val.json")
    assert [path.read_bytes() for path in (tmp_path / "coco").iterdir()] == [b"{}"]


@pytest.mark.parametrize("name", ["val/../../evil", "val//etc/evil", "val/..\\evil", "/val/evil"])
def test_members_that_lead_elsewhere_are_refused(tmp_path, name):
    archive = make_zip(tmp_path / "a.zip", **{"val/1.jpg": b"one", name: b"evil"})
    with pytest.raises(unzip.ArchiveError, match="leads out of its folder"):
        unzip.unpack(archive, "/val/" if name.startswith("/") else "val/", tmp_path / "val")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_links_are_refused(tmp_path):
    link = zipfile.ZipInfo("val/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(unzip.ArchiveError, match="is a link"):
        unzip.unpack(tmp_path / "a.zip", "val/", tmp_path / "val")


def test_bombs_are_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", **{"val/zeros": bytes(1_000_000)})
    with pytest.raises(unzip.ArchiveError, match="100 times its size"):
        unzip.unpack(archive, "val/", tmp_path / "val")


def test_unpacking_looks_at_disk_space_first(tmp_path, monkeypatch):
    archive = make_zip(tmp_path / "a.zip", **{"val/1.jpg": DATA})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=299_999))
    with pytest.raises(download.FetchError, match="unpacking"):
        unzip.unpack(archive, "val/", tmp_path / "val")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_damaged_member_leaves_no_folder(tmp_path):
    archive = make_zip(tmp_path / "a.zip", **{"val/1.jpg": b"good", "val/2.jpg": DATA})
    content = bytearray(archive.read_bytes())
    content[100_000] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(unzip.ArchiveError, match="damaged"):
        unzip.unpack(archive, "val/", tmp_path / "val")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_damaged_list_of_calibration_images_names_the_archive(tmp_path):
    archive = make_zip(tmp_path / "a.zip", **{"train.json": DATA})
    content = bytearray(archive.read_bytes())
    content[100_000] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(unzip.ArchiveError, match=r"a\.zip: .*damaged"):
        calibration_images.read_instances(archive, "train.json")


def test_what_is_no_archive_or_lacks_the_member_is_named(tmp_path):
    (tmp_path / "b.zip").write_bytes(DATA)
    with pytest.raises(unzip.ArchiveError, match=r"b\.zip: no zip file"):
        unzip.unpack(tmp_path / "b.zip", "val/", tmp_path / "val")
    with pytest.raises(unzip.ArchiveError, match=r"a\.zip: nothing named val/ in it"):
        unzip.unpack(make_zip(tmp_path / "a.zip", other=b""), "val/", tmp_path / "val")


# --- calibration images -------------------------------------------------------------------------------------------

MEMBER = "annotations/instances_train2017.json"


def jpeg(height, width, seed=0):
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()


def instances(count):
    """Return COCO instances of `count` images of 24x16, of which those with even ids have a box."""
    listed = [{"id": i, "file_name": f"{i:03}.jpg", "height": 16, "width": 24} for i in reversed(range(count))]
    boxes = [{"id": i, "image_id": i, "bbox": [0, 0, 1, 1], "segmentation": {"size": [1]}} for i in range(0, count, 2)]
    return {"info": {"year": 2017}, "images": listed, "annotations": boxes}


@pytest.fixture
def annotations(tmp_path):
    return make_zip(tmp_path / "annotations.zip", **{MEMBER: json.dumps(instances(20))})


def fetch_images(annotations, url, count=3):
    target = annotations.with_name("calibration")
    calibration_images.fetch_images(annotations, MEMBER, f"{url}/train2017/", count, target)
    return sorted(path.name for path in target.iterdir())


def test_images_are_spaced_evenly_over_those_with_boxes():
    listed = msgspec.convert(instances(20), calibration_images.Instances)
    chosen = calibration_images.choose(listed, 5)
    assert [image.id for image in chosen] == [0, 4, 8, 12, 16]
    assert [image.id for image in calibration_images.choose(listed, 10)] == list(range(0, 20, 2))
    with pytest.raises(download.FetchError, match="11 calibration images wanted, 10 have boxes"):
        calibration_images.choose(listed, 11)


def test_reading_instances_drops_what_is_large(annotations):
    read = calibration_images.read_instances(annotations, MEMBER)
    assert read == msgspec.convert(instances(20), calibration_images.Instances)
    assert msgspec.to_builtins(read.annotations[1]) == {"image_id": 2}


def test_a_list_that_is_none_is_named_with_its_archive(tmp_path):
    archive = make_zip(tmp_path / "a.zip", **{"train.json": json.dumps({"images": [{"id": 1}]})})
    with pytest.raises(download.FetchError, match=r"a\.zip: train\.json is no COCO instances JSON .*file_name"):
        calibration_images.read_instances(archive, "train.json")


def test_images_come_complete_or_not_at_all_and_only_the_missing_ones_are_fetched_again(serve, annotations):
    paths = {"/train2017/000.jpg": whole(jpeg(16, 24)), "/train2017/006.jpg": answer(503),
             "/train2017/012.jpg": whole(jpeg(24, 16))}  # fmt: skip
    server = serve(paths=paths)
    with pytest.raises(download.FetchError, match="503"):
        fetch_images(annotations, server.url)
    assert not annotations.with_name("calibration").exists()
    paths["/train2017/006.jpg"] = whole(jpeg(16, 24))
    assert fetch_images(annotations, server.url) == ["000.jpg", "006.jpg", "012.jpg"]
    assert [path for path, _ in server.requests].count("/train2017/000.jpg") == 1
    assert not annotations.with_name("calibration.part").exists()


@pytest.mark.parametrize("lie", [jpeg(10, 10), b"<html>"])
def test_another_image_is_refused_and_not_kept(serve, annotations, lie):
    with pytest.raises(download.FetchError, match=r"000\.jpg: not the 24x16 image"):
        fetch_images(annotations, serve(whole(lie)).url, count=1)
    assert list(annotations.with_name("calibration.part").iterdir()) == []


def test_a_smaller_count_leaves_no_images_of_a_larger_one(serve, annotations):
    spare = annotations.with_name("calibration.part")
    (spare / "folder").mkdir(parents=True)
    (spare / "002.jpg").write_bytes(b"of an attempt with another count")
    assert fetch_images(annotations, serve(whole(jpeg(16, 24))).url, count=1) == ["000.jpg"]


def test_offline_says_what_to_do_without_the_images(annotations, offline):
    with pytest.raises(download.FetchError, match="to fetch 3 calibration images; point dataset"):
        fetch_images(annotations, offline)


# --- what the config names ----------------------------------------------------------------------------------------

MODELS = [
    Model("sample/near.safetensors"),
    Model("resources/far.pt", url="https://h/v1/far.pt", sha256="f"),
    Model("/data/own.pt", url="https://h/v1/own.pt", sha256="f"),
]
SOURCES = Sources(
    images=Source("https://h/zips/val.zip?x=1", sha256="a", member="val/"),
    annotations=Source("https://h/trainval.zip", sha256="b", member="val.json"),
    calibration=Source("https://h/train/", member="train.json", count=8),
)
DATASET = DataSet(
    images="resources/coco/val",
    annotations="resources/coco/../../val.json",
    calibration="resources/coco/calibration",
    sources=SOURCES,
)


def test_sources_cover_what_lies_below_resources_alone():
    images, annotations, calibration = SOURCES.given.values()
    assert downloads.files(MODELS, DATASET) == {
        "far.pt": (Source("https://h/v1/far.pt", "f"), None),
        "val.zip": (images, None),
        "trainval.zip": (annotations, None),
    }
    inside = replace(DATASET, annotations="resources/coco/val.json")
    assert downloads.files([], inside)["coco/val.json"] == (annotations, "resources/trainval.zip")
    assert downloads.folders(DATASET) == {
        "coco/val": (images, "resources/val.zip"),
        "coco/calibration": (calibration, "resources/trainval.zip"),
    }


def test_a_config_without_sources_fetches_nothing():
    local = DataSet(images="sample/images", annotations="a.json", calibration="c")
    assert downloads.files([], local) == downloads.folders(local) == {}
    assert downloads.pattern({}) == "(?!)"
