"""Saving demos beside a loop that does not wait."""

from demo_examples import TASK, make_demo

from apprentice.demos import DemoFile, DemoWriter
from apprentice.record.saver import Saver


def test_demos_count_once_from_when_they_are_handed_over_until_they_are_taken_back(tmp_path):
    path = tmp_path / "demos.hdf5"
    with DemoWriter(path, task=TASK) as writer:
        writer.append(make_demo(0))
        saver = Saver(writer)
        for index in (1, 2):
            saver.save(make_demo(index), "data", 2.0)
            assert saver.demos == index + 1
        saver.save(make_demo(3), "failed", 2.0)
        saver.flush()
        assert saver.demos == writer.num_demos == 3
        saver.undo()
        saver.flush()
        assert saver.demos == writer.num_demos == 2
        assert saver.can_undo
        saver.close()
    with DemoFile(path) as file:
        assert file.names == ["demo_0", "demo_1"]
