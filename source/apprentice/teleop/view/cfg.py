"""What the view can be told. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True, frozen=True)
class ViewCfg:
    fps: float = 15.0
    """Most updates of the 3D view per second."""
    camera_fps: float = 10.0
    """Most images per second and camera. A scene that stands still is drawn once a second."""
    width: int = 480
    """Width of the images in pixels."""
    height: int = 360
    """Height of the images in pixels."""
    jpeg_quality: int = 80
    """JPEG quality of the images, 1 to 95."""
    detail_m: float = 0.008
    """Smallest mesh feature that is kept (m), for `scene_model`: finer meshes take longer to load in the browser."""
    nice: int = 5
    """How far the view gives way to the control loop on a busy processor, 0 to 19."""
    restarts: int = 3
    """How often a view that crashed is started again."""
