"""Colours of what is drawn."""

import numpy as np
import pytest
from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade

from apprentice.sim.usd_geometry import GREY, visible_shapes


def _cube(bind) -> tuple[float, ...]:
    """The colour that a cube is drawn in whose material `bind` makes."""
    stage = Usd.Stage.CreateInMemory()
    cube = UsdGeom.Cube.Define(stage, "/robot/cube")
    bind(stage, cube)
    (shape,) = visible_shapes(stage.GetPrimAtPath("/robot"), np.eye(4), lambda _: False)
    return shape.colour


def _material(stage, cube):
    material = UsdShade.Material.Define(stage, "/looks/paint")
    shader = UsdShade.Shader.Define(stage, "/looks/paint/surface")
    shader.CreateIdAttr("UsdPreviewSurface")
    material.CreateSurfaceOutput().ConnectToSource(shader.ConnectableAPI(), "surface")
    UsdShade.MaterialBindingAPI.Apply(cube.GetPrim()).Bind(material)
    return material, shader


def _stated_by_shader(stage, cube):
    _, shader = _material(stage, cube)
    shader.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f).Set(Gf.Vec3f(0.1, 0.2, 0.3))
    shader.CreateInput("opacity", Sdf.ValueTypeNames.Float).Set(0.5)


def _stated_by_material(stage, cube):
    """As converters of URDF files do."""
    material, shader = _material(stage, cube)
    for name, kind, value in (
        ("diffuseColor", Sdf.ValueTypeNames.Color3f, Gf.Vec3f(0.1, 0.2, 0.3)),
        ("opacity", Sdf.ValueTypeNames.Float, 0.5),
    ):
        said = material.CreateInput(name, kind)
        said.Set(value)
        shader.CreateInput(name, kind).ConnectToSource(said)


@pytest.mark.parametrize("bind", [_stated_by_shader, _stated_by_material])
def test_a_material_says_the_colour(bind):
    assert _cube(bind) == pytest.approx((0.1, 0.2, 0.3, 0.5))


def test_without_a_material_the_shape_says_it_or_it_is_grey():
    assert _cube(lambda _, cube: cube.CreateDisplayColorAttr([(0.3, 0.2, 0.1)])) == pytest.approx((0.3, 0.2, 0.1, 1.0))
    assert _cube(lambda *_: None) == GREY
    assert _cube(_material) == GREY
