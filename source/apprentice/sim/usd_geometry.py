"""Visible geometry of a USD stage, as shapes and triangles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Prim = Any
"""A `pxr.Usd.Prim`. USD's Python types are wrong about what can be None."""
Matrix = NDArray[np.float64]
"""Homogeneous transform of column vectors. Shape (4, 4)."""

GREY = (0.7, 0.7, 0.7, 1.0)


@dataclass(kw_only=True, frozen=True)
class Shape:
    """One visible piece of a body."""

    kind: str
    """"box", "sphere", "capsule", "cylinder" or "mesh"."""
    pose: Matrix
    """Pose in the body's frame, without scale; the identity for meshes."""
    size: tuple[float, ...] = ()
    """Half edges; or radius; or radius and half length [m]."""
    vertices: NDArray[np.float64] | None = None
    """Of a mesh, in the body's frame [m]. Shape (V, 3)."""
    triangles: NDArray[np.int64] | None = None
    """Of a mesh, indices of vertices. Shape (F, 3)."""
    colour: tuple[float, float, float, float]
    """Red, green, blue, opacity; 0 to 1."""


def world_transform(prim: Prim) -> Matrix:
    """Pose of a prim in the stage, scale included."""
    from pxr import UsdGeom

    return np.array(UsdGeom.Xformable(prim).ComputeLocalToWorldTransform(0.0)).T


def visible_shapes(prim: Prim, frame: Matrix, skip: Callable[[Prim], bool]) -> Iterator[Shape]:
    """Shapes below `prim` (itself included), relative to `frame`, not entering prims for which `skip` is true."""
    from pxr import Usd, UsdGeom

    children = iter(Usd.PrimRange(prim, Usd.TraverseInstanceProxies()))
    for child in children:
        if skip(child):
            children.PruneChildren()
        elif child.IsA(UsdGeom.Gprim) and _is_visible(child):
            shape = _shape(child, np.linalg.inv(frame) @ world_transform(child))
            if shape is not None:
                yield shape


def _is_visible(prim: Prim) -> bool:
    from pxr import UsdGeom

    image: Any = UsdGeom.Imageable(prim)
    return image.ComputePurpose() in ("default", "render") and image.ComputeVisibility() != "invisible"


def _shape(prim: Prim, transform: Matrix) -> Shape | None:
    kind, colour = str(prim.GetTypeName()), _colour(prim)
    if kind == "Mesh":
        return _mesh(prim, transform, colour)
    scale = np.linalg.norm(transform[:3, :3], axis=0)
    pose = transform.copy()
    pose[:3, :3] /= scale
    if kind == "Cube":
        half = float(prim.GetAttribute("size").Get()) / 2 * scale
        return Shape(kind="box", pose=pose, size=tuple(half), colour=colour)
    if kind == "Sphere":
        return Shape(
            kind="sphere", pose=pose, size=(float(prim.GetAttribute("radius").Get() * scale[0]),), colour=colour
        )
    if kind in ("Capsule", "Cylinder"):
        axis = "XYZ".index(prim.GetAttribute("axis").Get())
        # MuJoCo's run along z
        pose[:3, :3] = np.roll(pose[:3, :3], 2 - axis, axis=1)
        radius = prim.GetAttribute("radius").Get() * scale[(axis + 1) % 3]
        half = prim.GetAttribute("height").Get() / 2 * scale[axis]
        return Shape(kind=kind.lower(), pose=pose, size=(float(radius), float(half)), colour=colour)
    return None


def _mesh(prim: Prim, transform: Matrix, colour: tuple[float, float, float, float]) -> Shape | None:
    from pxr import UsdGeom

    mesh: Any = UsdGeom.Mesh(prim)
    points = np.asarray(mesh.GetPointsAttr().Get() or [], dtype=np.float64).reshape(-1, 3)
    counts = np.asarray(mesh.GetFaceVertexCountsAttr().Get() or [], dtype=np.int64)
    indices = np.asarray(mesh.GetFaceVertexIndicesAttr().Get() or [], dtype=np.int64)
    if not len(points) or not len(counts):
        return None
    vertices = points @ transform[:3, :3].T + transform[:3, 3]
    triangles = _triangulated(counts, indices)
    if (mesh.GetOrientationAttr().Get() == "leftHanded") != (np.linalg.det(transform[:3, :3]) < 0):
        triangles = triangles[:, ::-1]
    return Shape(kind="mesh", pose=np.eye(4), vertices=vertices, triangles=triangles, colour=colour)


def _triangulated(counts: NDArray[np.int64], indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Faces as fans of triangles. Shape (F, 3)."""
    starts = np.cumsum(counts) - counts
    fans = [
        np.stack((starts[counts > k + 1], starts[counts > k + 1] + k, starts[counts > k + 1] + k + 1), 1)
        for k in range(1, int(counts.max()) - 1)
    ]
    return indices[np.concatenate(fans)]


def simplified(
    vertices: NDArray[np.float64], triangles: NDArray[np.int64], cell_m: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A mesh with all vertices in one cell of a grid merged into their mean, and the triangles that survive that.

    Args:
        vertices: Shape (V, 3).
        triangles: Shape (F, 3).
        cell_m: Edge of the grid's cells in metres.
    """
    _, group = np.unique(np.round(vertices / cell_m).astype(np.int64), axis=0, return_inverse=True)
    group = group.reshape(-1)
    size = np.bincount(group)
    merged = np.stack([np.bincount(group, weights=column) / size for column in vertices.T], 1)
    corners = group[triangles]
    a, b, c = corners.T
    corners = corners[(a != b) & (b != c) & (c != a)]
    _, first = np.unique(np.sort(corners, axis=1), axis=0, return_index=True)
    return merged, corners[np.sort(first)]


def _colour(prim: Prim) -> tuple[float, float, float, float]:
    from pxr import UsdGeom, UsdShade

    binding: Any = UsdShade.MaterialBindingAPI(prim)
    material = binding.ComputeBoundMaterial()[0]
    if material:
        shader = material.ComputeSurfaceSource()[0]
        rgb = _value(shader, "diffuseColor")
        if rgb is not None:
            red, green, blue = rgb
            return float(red), float(green), float(blue), float(_value(shader, "opacity") or 1.0)
    gprim: Any = UsdGeom.Gprim(prim)
    display = gprim.GetDisplayColorAttr().Get()
    if not display:
        return GREY
    red, green, blue = display[0]
    return float(red), float(green), float(blue), 1.0


def _value(shader: Any, name: str) -> Any:
    """A shader's input, also where the material states it, as converters do; None if nobody does."""
    from pxr import UsdShade

    found = shader.GetInput(name) if shader else None
    if not found:
        return None
    said = UsdShade.Utils.GetValueProducingAttributes(found)
    return said[0].Get() if said else None
