"""Named lists of conditions, and those that a user writes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from apprentice.errors import UserError
from apprentice.evaluate.robustness.cfg import NOMINAL, Condition
from apprentice.sim.looks_cfg import LooksCfg
from apprentice.yaml_files import reading

_DEGREE = math.pi / 180

_PERCEPTION = (
    Condition(name="noise_2mm_1deg", position_noise_m=0.002, rotation_noise_rad=_DEGREE),
    Condition(name="noise_5mm_3deg", position_noise_m=0.005, rotation_noise_rad=3 * _DEGREE),
    Condition(name="offset_2mm_1deg", position_noise_m=0.002, rotation_noise_rad=_DEGREE, constant_noise=True),
    Condition(name="offset_5mm_3deg", position_noise_m=0.005, rotation_noise_rad=3 * _DEGREE, constant_noise=True),
    Condition(name="cameras_moved", looks=LooksCfg(camera_m=0.02, camera_rad=2 * _DEGREE)),
    Condition(name="lights_and_colours", looks=LooksCfg(colours=0.15, lights=0.3)),
)
_TIMING = (
    Condition(name="delay_1", delay_steps=1),
    Condition(name="delay_2", delay_steps=2),
    Condition(name="rate_0.5", control_rate=0.5),
    Condition(name="rate_1.25", control_rate=1.25),
)
_PHYSICS = (
    Condition(name="mass_0.5", mass=0.5),
    Condition(name="mass_2", mass=2.0),
    Condition(name="friction_0.5", friction=0.5),
    Condition(name="friction_2", friction=2.0),
    Condition(name="push", push_m_s=0.5),
)
_RECOVERY = tuple(Condition(name=kind, mishap=kind) for kind in ("drop", "knock", "miss"))
_VARIANTS = tuple(Condition(name=variant, variant=variant) for variant in ("d0", "d1", "d2"))
_ENGINES = tuple(Condition(name=backend, backend=backend) for backend in ("ovphysx", "newton"))

SUITES: dict[str, tuple[Condition, ...]] = {
    "robustness": (*_PERCEPTION, *_TIMING, *_PHYSICS, *_RECOVERY, *_VARIANTS, *_ENGINES),
    "recovery": _RECOVERY,
    "variants": _VARIANTS,
    "engines": _ENGINES,
}
"""Conditions beside the nominal one, by name of the suite."""


def load_suite(name: str) -> tuple[Condition, ...]:
    """The conditions of a suite, the nominal one first.

    Args:
        name: One of `SUITES`, or the path of a YAML file with a list `conditions`.

    Raises:
        UserError: If there is no such suite, or the file says something that a condition does not know.
    """
    if name in SUITES:
        return NOMINAL, *SUITES[name]
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        raise UserError(
            f"Expected one of the suites {', '.join(SUITES)}, or a YAML file of conditions, found '{name}'."
        )
    conditions = _read(path)
    names = [NOMINAL.name, *(condition.name for condition in conditions)]
    twice = sorted({one for one in names if names.count(one) > 1})
    if twice:
        raise UserError(f"{path}: expected conditions of different names, found '{twice[0]}' twice.")
    return NOMINAL, *conditions


def _read(path: Path) -> list[Condition]:
    from omegaconf import OmegaConf

    with reading(path, "a suite"):
        content: Any = OmegaConf.to_container(OmegaConf.load(path))
        given = content.get("conditions") if isinstance(content, dict) else None
        if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
            raise UserError(f"Expected a list `conditions` in {path}, each with a name and what differs.")
        return [_condition(one) for one in given]


def _condition(given: Any) -> Condition:
    fields = dict(given)
    looks = fields.pop("looks", None)
    condition: Condition = _typed(Condition, fields)
    return condition if looks is None else replace(condition, looks=_typed(LooksCfg, looks))


def _typed(kind: type[Any], fields: Any) -> Any:
    from omegaconf import OmegaConf

    wanted = OmegaConf.structured(kind)
    OmegaConf.set_readonly(wanted, False)  # as frozen dataclasses are
    return OmegaConf.to_object(OmegaConf.merge(wanted, fields))
