"""Whatever was saved stays saved: killed at any moment, with a full disk, with others reading and writing."""

import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from demo_examples import TASK, assert_same, make_demo

from apprentice.demos import (
    DemoFile,
    DemoWriter,
    check_file,
    durable,
    merge,
    parts,
    recover,
    set_demo_attrs,
    write_annotations,
)
from apprentice.errors import UserError

KILLS = int(os.environ.get("APPRENTICE_KILLS", "6"))
"""How often writers are killed; `benchmarks/kill.py` asks for more."""

WRITING = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from demo_examples import TASK, make_demo
from apprentice.demos import DemoWriter
with DemoWriter(sys.argv[1], task=TASK, resume=True) as writer:
    print("open", writer.num_demos, flush=True)
    for index in range(writer.num_demos, int(sys.argv[2])):
        print(writer.append(make_demo(index, length=40 + 10 * (index % 7))), flush=True)
"""


def expected(index):
    return make_demo(index, length=40 + 10 * (index % 7))


def assert_holds(path, names):
    """The file is complete for every reader, and ours finds `names`, and what else there is, numbered without gaps."""
    with h5py.File(path) as raw:
        assert raw["data"].attrs["total"] == sum(len(raw["data"][name]["actions"]) for name in raw["data"])
    with DemoFile(path) as file:
        assert file.names == [f"demo_{index}" for index in range(len(file))]
        assert set(names) <= set(file.names)
        for index, name in enumerate(file.names):
            assert_same(file.read(name), expected(index))
        return len(file)


def start_writing(path, demos):
    process = subprocess.Popen([sys.executable, "-c", WRITING, path, str(demos)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("open")
    return process


def test_kill_9_at_random_moments_loses_nothing_that_was_saved(tmp_path):
    path = tmp_path / "a.hdf5"
    rng = random.Random(0)
    saved = []
    for _ in range(KILLS):
        process = start_writing(path, 100_000)
        time.sleep(rng.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        saved += process.communicate()[0].splitlines()
        count = assert_holds(path, saved)
        assert count <= len(saved) + KILLS  # a demo may be on disk before its name was printed, one a kill
    assert len(saved) > KILLS
    recover(path)
    assert assert_holds(path, saved) == count
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.hdf5"]
    assert check_file(path).ok


def dies_at(moment, action):
    """Run `action` in a child that dies, as by `kill -9`, just before its `moment`-th change of the disk.

    Returns whether it died; otherwise it had fewer changes to make.
    """
    child = os.fork()
    if child == 0:
        left = [moment]

        def dying(function):
            def run(*args, **kwargs):
                left[0] -= 1
                if left[0] < 0:
                    os._exit(9)
                return function(*args, **kwargs)

            return run

        for module, name in (
            (os, "replace"),
            (os, "fsync"),
            (os, "posix_fallocate"),
            (shutil, "copyfile"),
            (Path, "unlink"),
            (Path, "rmdir"),
            (Path, "mkdir"),
            (h5py, "File"),
        ):
            setattr(module, name, dying(getattr(module, name)))
        action()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def moments(folder, prepare, action):
    """Files on which `action` died, one for each moment at which it can."""
    template = folder / "template"
    template.mkdir()
    prepare(template / "a.hdf5")
    for moment in range(1000):
        path = folder / str(moment) / "a.hdf5"
        shutil.copytree(template, path.parent)
        died = dies_at(moment, lambda path=path: action(path))
        yield path
        if not died:
            assert moment > 3
            return
    raise AssertionError("Expected the action to end.")


def write(path, count):
    with DemoWriter(path, task=TASK, resume=True) as writer:
        for index in range(writer.num_demos, count):
            writer.append(expected(index))


def test_wherever_a_writer_dies_the_next_one_goes_on(tmp_path):
    for path in moments(tmp_path, lambda path: write(path, 1), lambda path: write(path, 3)):
        assert assert_holds(path, ["demo_0"]) <= 3
        write(path, 3)
        assert assert_holds(path, []) == 3
        assert [entry.name for entry in path.parent.iterdir()] == ["a.hdf5"]


def test_wherever_an_annotation_or_a_certificate_dies_the_file_is_the_old_or_the_new_one(tmp_path):
    signal_key = "obs/datagen_info/subtask_term_signals/grasp"

    def edit(path):
        write_annotations(path, {"demo_1": {signal_key: np.ones(50, bool)}})
        set_demo_attrs(path, {"demo_0": {"note": "edited"}, "demo_1": {"note": "edited"}})

    states = set()
    for path in moments(tmp_path, lambda path: write(path, 2), edit):
        with DemoFile(path) as file:
            notes = tuple(file.attrs(name).get("note") for name in file.names)
            states.add((bool(file.read("demo_1").data[signal_key].all()), *notes))
        recover(path)
        assert [entry.name for entry in path.parent.iterdir()] == ["a.hdf5"]
    assert states == {(False, None, None), (True, None, None), (True, "edited", "edited")}


def test_wherever_merging_dies_there_is_a_whole_output_or_none(tmp_path):
    def prepare(path):
        write(path.with_name("one.hdf5"), 2)

    def act(path):
        merge([path.with_name("one.hdf5")] * 2, path)

    for path in moments(tmp_path, prepare, act):
        if path.exists():
            with DemoFile(path) as file:
                assert len(file) == 4
        else:
            merge([path.with_name("one.hdf5")], path)
        assert check_file(path).ok


def test_a_demo_is_synced_before_it_appears_and_its_folder_after(tmp_path, monkeypatch):
    events = []

    def watch(name, describe):
        function = getattr(os, name)

        def run(*args):
            events.append((name, describe(*args)))
            return function(*args)

        monkeypatch.setattr(os, name, run)

    with DemoWriter(tmp_path / "a.hdf5", task=TASK) as writer:
        watch("fsync", lambda descriptor: Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
        watch("replace", lambda _, target: Path(target).name)
        writer.append(make_demo())
        assert events[:4] == [
            ("fsync", tmp_path.name),  # the new folder of parts
            ("fsync", "data-demo_0.hdf5.tmp"),
            ("replace", "data-demo_0.hdf5"),
            ("fsync", "a.hdf5.parts"),
        ]


def mounts_a_small_disk():
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
        ).returncode
        if done == 0:
            subprocess.run(["umount", folder], check=True)
        return done == 0


@contextlib.contextmanager
def small_disk(folder):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", folder], check=True)
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=8m", folder], check=True)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@contextlib.contextmanager
def small_files(folder):
    """Files cannot grow beyond a limit, as by a quota: works everywhere, without rights to mount."""
    del folder
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


LIMITS = {"quota": small_files} | ({"full disk": small_disk} if mounts_a_small_disk() else {})


@pytest.mark.parametrize("limit", LIMITS)
def test_without_space_nothing_is_lost_and_the_error_says_how_to_go_on(tmp_path, limit):
    path = tmp_path / "a.hdf5"
    saved = []

    def write_until_it_fails():
        with DemoWriter(path, task=TASK) as writer:
            # under the quota each part fits; together they do not, which closing finds out
            for index in range(20 if limit == "quota" else 1000):
                saved.append(writer.append(expected(index)))

    with LIMITS[limit](tmp_path) as free_space:
        with pytest.raises(UserError, match="there is no space left; free some") as caught:
            write_until_it_fails()
        said = "every demo is saved" if limit == "quota" else f"the {len(saved)} demos saved before are safe"
        assert said in str(caught.value)
        assert assert_holds(path, saved) == len(saved) > 3
        free_space()
        write(path, len(saved) + 2)
        assert assert_holds(path, saved) == len(saved) + 2
        assert [entry.name for entry in tmp_path.iterdir()] == ["a.hdf5"]


def test_a_second_writer_is_refused_while_the_first_lives_and_welcome_after(tmp_path):
    path = tmp_path / "a.hdf5"
    process = start_writing(path, 100_000)
    try:
        with pytest.raises(UserError, match="expected to be the only writer, found another"):
            DemoWriter(path, task=TASK, resume=True)
        with pytest.raises(UserError, match="expected to be the only writer"):
            set_demo_attrs(path, {})
    finally:
        process.kill()
    saved = process.communicate()[0].splitlines()
    with DemoWriter(path, task=TASK, resume=True) as writer:
        assert writer.num_demos >= len(saved)
        with pytest.raises(UserError, match="expected to be the only writer"):
            DemoWriter(path, task=TASK, resume=True)


def test_a_forked_child_does_not_keep_the_lock(tmp_path):
    writer = DemoWriter(tmp_path / "a.hdf5", task=TASK)
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    try:
        writer.close()
        DemoWriter(tmp_path / "a.hdf5", task=TASK, resume=True).close()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_readers_see_a_consistent_file_at_any_moment_of_writing(tmp_path):
    path = tmp_path / "a.hdf5"
    process = start_writing(path, 60)
    counts = []
    while process.poll() is None:
        counts.append(assert_holds(path, []))
    assert process.returncode == 0
    assert counts == sorted(counts)
    assert assert_holds(path, []) == 60


def test_an_open_reader_keeps_what_it_saw_while_parts_are_folded_in(tmp_path):
    path = tmp_path / "a.hdf5"
    writer = DemoWriter(path, task=TASK)
    for index in range(10):
        writer.append(expected(index))
    with DemoFile(path) as early:
        assert parts.list_parts(path)
        assert len(early) == 10
        writer.append(expected(10))
        writer.close()
        assert not parts.list_parts(path)
        assert len(early) == 10
        for index, name in enumerate(early.names):
            assert_same(early.read(name), expected(index))
        assert sorted(early.masks["train"] + early.masks["valid"]) == sorted(early.names)


def test_few_bytes_are_copied_for_each_byte_written(tmp_path, monkeypatch):
    copied = []
    copyfile = shutil.copyfile
    monkeypatch.setattr(durable.shutil, "copyfile", lambda a, b: (copied.append(os.path.getsize(a)), copyfile(a, b)))
    with DemoWriter(tmp_path / "a.hdf5", task=TASK) as writer:
        for index in range(80):
            writer.append(make_demo(index))
    size = os.path.getsize(tmp_path / "a.hdf5")
    assert sum(copied) < 4 * size
    assert len(copied) < 20


def write_without_closing(path, *, task=TASK):
    """A writer that has demos in parts, as if it had been killed. Returns how many."""

    def act():
        writer = DemoWriter(path, task=task)
        for index in range(100):
            writer.append(expected(index))
            if index > 5 and parts.list_parts(path):
                os._exit(0)

    assert not dies_at(10_000, act)
    return len(parts.list_parts(path))


def test_an_interrupted_recording_is_not_mixed_with_a_file_put_in_its_place(tmp_path):
    path = tmp_path / "a.hdf5"
    left = write_without_closing(path, task="Other")
    path.unlink()
    write(tmp_path / "b.hdf5", 1)
    (tmp_path / "b.hdf5").rename(path)
    with pytest.raises(UserError, match=r"expected a demo of task Example-Carry as in a\.hdf5, found one of Other"):
        recover(path)
    assert len(parts.list_parts(path)) == left > 0


def test_an_interrupted_recording_whose_file_was_removed_is_not_overwritten(tmp_path):
    path = tmp_path / "a.hdf5"
    left = write_without_closing(path)
    path.unlink()
    with pytest.raises(UserError, match=r"found only its unfinished a\.hdf5\.parts"):
        DemoFile(path)
    with pytest.raises(UserError, match=r"found an existing interrupted recording, a\.hdf5\.parts, which is never"):
        DemoWriter(path, task=TASK)
    with DemoWriter(path, task=TASK, resume=True) as writer:
        assert writer.num_demos == left > 0
