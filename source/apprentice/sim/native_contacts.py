"""What touches what on the native backend, as Newton's contact sensors read it."""

# pyright: reportAttributeAccessIssue=false
# mujoco is compiled and has no types

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray


def write_contacts(contacts: Any, worlds: Iterable[tuple[Any, Any]], shapes: NDArray[np.int32]) -> None:
    """Write the contacts of all worlds into Newton's `Contacts`.

    Args:
        contacts: Where to. On the CPU.
        worlds: `MjModel` and `MjData` of each world, which are looked at before the next ones are asked for. Their
            constraint forces are those of the present state.
        shapes: Newton's shape of each geom. Shape (N, geoms).

    Raises:
        RuntimeError: If there are more contacts than Newton has room for.
    """
    first, last = (array.numpy() for array in (contacts.rigid_contact_shape0, contacts.rigid_contact_shape1))
    points = [array.numpy() for array in (contacts.rigid_contact_point0, contacts.rigid_contact_point1)]
    normals, forces = contacts.rigid_contact_normal.numpy(), contacts.force.numpy()
    count, wrench = 0, np.zeros(6)
    for world, (model, data) in enumerate(worlds):
        rows = slice(count, count + data.ncon)
        count += data.ncon
        if count > contacts.rigid_contact_max:
            raise RuntimeError(
                f"Expected at most {contacts.rigid_contact_max} contacts in all environments, found more; raise nconmax"
                " of the solver's configuration."
            )
        if not data.ncon:
            continue
        found = data.contact
        geoms, frames = np.asarray(found.geom), np.asarray(found.frame).reshape(-1, 3, 3)
        first[rows], last[rows] = shapes[world, geoms[:, 0]], shapes[world, geoms[:, 1]]
        normals[rows] = frames[:, 0]
        half = 0.5 * np.asarray(found.dist)[:, None] * frames[:, 0]
        for number, (sign, local) in enumerate(zip((-1.0, 1.0), points, strict=True)):
            # Newton has the points where the surfaces are, in the frames of their bodies
            bodies = model.geom_bodyid[geoms[:, number]]
            turns = data.xmat[bodies].reshape(-1, 3, 3)
            local[rows] = np.einsum("nij,ni->nj", turns, np.asarray(found.pos) + sign * half - data.xpos[bodies])
        for index in range(data.ncon):
            mujoco.mj_contactForce(model, data, index, wrench)
            # MuJoCo tells what the second geom feels, in the contact's frame
            turned = wrench.reshape(2, 3) @ frames[index]
            forces[rows.start + index] = -turned.reshape(-1)
    contacts.rigid_contact_count.numpy()[0] = count
