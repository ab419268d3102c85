import subprocess
import sys


def test_the_gpu_tests_end_with_a_block_to_send_back():
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests/gpu"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=300).stdout
    block = said.split("```")[1]
    for part in ("tensorrt: ", "python: ", "onnx: ", "commit: ", "test_a_truncated_engine_is_refused"):
        assert part in block
    skipping = [*command[:4], "-m", "not gpu", "tests/gpu"]
    assert "paste this" not in subprocess.run(skipping, capture_output=True, text=True, timeout=300).stdout
