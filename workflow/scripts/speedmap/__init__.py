"""Measure the speed and the mAP of YOLOv5 detectors before and after deployment."""
