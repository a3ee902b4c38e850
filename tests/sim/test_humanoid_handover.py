"""Both hands of the G1, driven by scripted hands that wait for each other: a stick goes from the right to the left."""

import torch
from recorded import record

from apprentice.demos import DemoFile, check_file
from apprentice.learn.data.action_space import recognise
from apprentice.tasks.session import open_session


def test_the_right_hand_gives_and_the_left_one_takes(tmp_path):
    with open_session("Apprentice-Handover-G1") as session:
        path = record(session, tmp_path / "demos.hdf5", 2)
    assert check_file(path).ok
    with DemoFile(path) as file:
        assert file.meta["eef_names"] == ["left", "right"]
        for demo in (file.read(name) for name in file.names):
            stick = torch.as_tensor(demo.data["obs/datagen_info/object_pose/stick"])
            hands = {
                eef: torch.as_tensor(demo.data[f"obs/datagen_info/eef_pose/{eef}"]) for eef in file.meta["eef_names"]
            }
            targets = {
                eef: torch.as_tensor(demo.data[f"obs/datagen_info/target_eef_pose/{eef}"])
                for eef in file.meta["eef_names"]
            }
            away = {eef: (stick - hand)[:, :2, 3].norm(dim=1) for eef, hand in hands.items()}
            assert stick[0, 2, 3] < 0.14 and (stick[-10:, 2, 3] > 0.2).all() and (stick[-10:, 1, 3] > 0.1).all()
            assert float(away["left"][-1]) < 0.05 and float(away["right"][-1]) > 0.1
            space = recognise(torch.as_tensor(demo.actions), hands, targets, [len(stick)])
            assert {(part.eef, part.column) for part in space.poses} == {("left", 0), ("right", 6)}
            assert [column.column for column in space.binary] == [12, 13]
