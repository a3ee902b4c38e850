"""What a reader of a report may rely on, with the result files of a small invented run."""

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from apprentice.errors import UserError
from apprentice.report import build_report

OUTCOMES = [None, None, "grasp_1", None, "final", None, None, None]


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    states = random.uniform(-0.1, 0.1, (40, 3)).round(4).tolist()
    stats = {
        "task": "Stack", "variant": "d0", "backend": "native", "seed": 3, "source_file": "source.hdf5",
        "attempts": 40, "successes": 30, "successes_any_step": 33, "dgr": 0.75, "dgr_interval_95": [0.6, 0.86],
        "env_steps": 9000, "sim_steps_per_success": 300.0, "seconds": 62.0, "successes_per_hour": 1742.0,
        "workers": 2, "retry": True, "lengths": random.integers(200, 260, 30).tolist(),
        "subtasks": [
            {"eef": "franka", "index": 0, "object": "cube_2", "signal": "grasp_1", "tries": 44, "failures": 9}
        ],
        "initial_states": {"cube_2": {"attempts": states, "success": [True] * 30 + [False] * 10}},
        "failure_causes": {"dropped": 10},
    }  # fmt: skip
    rows = [
        {
            "index": index, "seed": 100 + index, "success": cause is None, "steps": 200 + index,
            "failed_subtask": cause,
            "cube_2_x_m": 0.01 * index, "cube_2_y_m": 0.0, "cube_2_z_m": 0.0,
            "cube_2_qx": 0.0, "cube_2_qy": 0.0, "cube_2_qz": 0.0, "cube_2_qw": 1.0,
        }
        for index, cause in enumerate(OUTCOMES)
    ]  # fmt: skip
    evaluation = {
        "task": "Stack", "backend": "native", "checkpoint_sha256": "ab" * 32, "rollouts": 8, "seed": 100,
        "successes": 6, "success_rate": 0.75, "interval_95": [0.409, 0.929], "held_steps": 10, "horizon": 600,
        "successes_any_step": 7, "env_steps_per_s": 812.0,
        "per_subtask": [
            {"subtask": "grasp_1", "entered": 8, "failures": 1}, {"subtask": "final", "entered": 7, "failures": 1},
        ],
    }  # fmt: skip
    summary = {
        "task": "Stack", "created": "2026-11-22T02:40:00Z", "command": "apprentice run config/franka_stack.yaml",
        "record": {"episodes": 10, "operator": "scripted"},
        "train": {"seconds": 37.2, "steps": 50, "algo": "chunked_bc"},
        "config": {"seed": 0, "augment": {"demos": 30}}, "stage_seconds": {"augment": 62.0, "train": 37.2},
        "versions": {"isaaclab": "3.0.0"}, "machine": {"cpu": "2 cores"}, "wall_seconds": 412.7,
    }  # fmt: skip
    log = [{"step": step, "loss": 2.0 / (step + 1), "lr": 1e-3} for step in range(0, 50, 5)]
    (tmp_path / "train").mkdir()
    (tmp_path / "evaluate" / "videos").mkdir(parents=True)
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    (tmp_path / "generated.hdf5.stats.json").write_text(json.dumps(stats))
    (tmp_path / "train" / "log.jsonl").write_text("\n".join(map(json.dumps, log)) + '\n{"step": 50, "lo')
    (tmp_path / "evaluate" / "evaluation.json").write_text(json.dumps(evaluation))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "evaluate" / "rollouts.parquet")
    (tmp_path / "evaluate" / "videos" / "failure_00002.mp4").write_bytes(b"a film of rollout two")
    return tmp_path


class Checker(HTMLParser):
    """Collects what a page refers to, and fails on tags that do not match."""

    VOID = frozenset({"meta", "br", "path", "rect", "circle", "polyline"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.references += [value for name, value in attrs if name in ("src", "href", "data", "poster") and value]
        assert tag not in ("script", "link", "iframe", "img")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(path: Path) -> Checker:
    checker = Checker()
    checker.feed(path.read_text(encoding="utf-8"))
    assert checker.open == []
    return checker


def plain(path: Path) -> str:
    return re.sub(r"\s+", " ", read(path).text)


def test_the_page_is_one_file_that_needs_no_network(run_dir):
    path = build_report(run_dir)
    assert path == run_dir / "report.html"
    for reference in read(path).references:
        assert reference.startswith(("#", "data:video/mp4;base64,"))
    assert "http" not in path.read_text(encoding="utf-8")
    assert "url(" not in path.read_text(encoding="utf-8")


def test_the_headline_stands_with_its_interval_and_its_command(run_dir):
    text = plain(build_report(run_dir))
    assert "75.0 %95 % interval 40.9 to 92.9 %, 8 rollouts" in text
    assert "6 of 8 rollouts: 75.0 %, 95 % Wilson interval 40.9 to 92.9 %" in text
    assert "30 of 40 attempts ended in held success: 75.0 % (95 % interval 60.0 to 86.0 %)" in text
    assert "apprentice run config/franka_stack.yaml" in text
    assert "1 of 7 rollouts failed (14.3 %)" in text
    assert "9 of 44 tries failed (20.5 %)" in text


def test_a_scripted_operator_is_called_scripted(run_dir):
    assert "Operator: scripted" in plain(build_report(run_dir))


def test_an_unknown_operator_is_called_unknown(run_dir):
    summary = json.loads((run_dir / "summary.json").read_text())
    del summary["record"]["operator"]
    (run_dir / "summary.json").write_text(json.dumps(summary))
    assert "do not say who or what operated the robot" in plain(build_report(run_dir))


def test_provenance_names_configuration_versions_checkpoint_and_time(run_dir):
    text = plain(build_report(run_dir))
    for part in ("augment demos30", "isaaclab3.0.0", "cpu2 cores", "ab" * 32, "augment1 min 2 s", "summary.json"):
        assert part in text


def test_videos_are_inside_with_what_happened_in_them(run_dir):
    path = build_report(run_dir)
    (video,) = [reference for reference in read(path).references if reference.startswith("data:")]
    assert base64.b64decode(video.partition(",")[2]) == b"a film of rollout two"
    assert "failed at grasp_1Rollout 2 · seed 102 · 202 steps" in plain(path)


def test_videos_that_would_make_the_page_too_heavy_are_named_instead(run_dir):
    (run_dir / "evaluate" / "videos" / "success_00001.mp4").write_bytes(bytes(5_000_000))
    path = build_report(run_dir)
    assert "Too large for this page: evaluate/videos/success_00001.mp4." in plain(path)
    assert path.stat().st_size < 6_000_000


def test_every_plot_is_well_formed_and_drawn_inside_its_box(run_dir):
    plots = re.findall(r"<svg.*?</svg>", build_report(run_dir).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(plots) >= 8
    for plot in plots:
        root = ElementTree.fromstring(plot)
        width, height = (float(size) for size in root.attrib["viewBox"].split()[2:])
        assert root.attrib["aria-label"]
        for box in root.iter("rect"):
            assert float(box.attrib["x"]) >= 0
            assert float(box.attrib["x"]) + float(box.attrib["width"]) <= width + 0.5
            assert float(box.attrib["y"]) + float(box.attrib["height"]) <= height + 0.5
        for text in root.iter("text"):
            assert 0 <= float(text.attrib.get("y", "0")) <= height


PARTS = {
    "summary.json": "do not say who or what operated",
    "generated.hdf5.stats.json": "No \\*.stats.json of augmentation",
    "train/log.jsonl": "No train/log.jsonl",
    "evaluate/videos/failure_00002.mp4": "No videos of rollouts",
    "evaluate/rollouts.parquet": "no maps of them",
}


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_left_out_with_a_line_that_says_so(run_dir, part):
    (run_dir / part).unlink()
    assert re.search(PARTS[part], plain(build_report(run_dir)))


@pytest.mark.parametrize(
    "kept", ["summary.json", "generated.hdf5.stats.json", "train/log.jsonl", "evaluate/evaluation.json"]
)
def test_any_single_result_makes_a_page(run_dir, kept):
    for path in [path for path in run_dir.rglob("*") if path.is_file() and path != run_dir / kept]:
        path.unlink()
    assert "Provenance" in plain(build_report(run_dir))


def test_one_stage_s_own_folder_makes_a_page(run_dir):
    assert "75.0 %" in plain(build_report(run_dir / "evaluate"))


@pytest.mark.parametrize("name", ["summary.json", "evaluate/evaluation.json", "evaluate/rollouts.parquet"])
def test_a_damaged_file_is_named_and_the_rest_is_drawn(run_dir, name):
    (run_dir / name).write_text('{"task": "Sta')
    text = plain(build_report(run_dir))
    assert f"could not be read: {name}" in text
    assert "30 of 40 attempts" in text


def test_fields_that_are_empty_or_of_another_kind_do_not_break_the_page(run_dir):
    for name in ("summary.json", "generated.hdf5.stats.json", "evaluate/evaluation.json"):
        for value in (None, "unknown", [], {}, [None], -1, float("nan")):
            fields = json.loads((run_dir / name).read_text())
            (run_dir / name).write_text(json.dumps(dict.fromkeys(fields, value)))
            assert "Provenance" in plain(build_report(run_dir))


def test_names_cannot_break_the_page(run_dir):
    summary = json.loads((run_dir / "summary.json").read_text())
    summary["task"] = '<script>alert("x")</script>'
    summary["record"]["operator"] = "</p><b>me"
    (run_dir / "summary.json").write_text(json.dumps(summary))
    assert '<script>alert("x")</script>' in plain(build_report(run_dir))  # as text: a tag would fail the reading


def test_several_generated_files_are_told_apart(run_dir):
    stats = json.loads((run_dir / "generated.hdf5.stats.json").read_text()) | {"attempts": 50, "dgr": 0.6}
    (run_dir / "generated_d1.hdf5.stats.json").write_text(json.dumps(stats))
    text = plain(build_report(run_dir))
    assert "30 of 40 attempts" in text
    assert "30 of 50 attempts" in text
    assert "generated_d1.hdf5" in text


def test_a_report_is_drawn_anew_and_leaves_nothing_half_written(run_dir):
    build_report(run_dir)
    (run_dir / "train" / "log.jsonl").unlink()
    assert "No train/log.jsonl" in plain(build_report(run_dir))
    assert list(run_dir.glob("*.partial")) == []


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(UserError, match="Expected result files"):
        build_report(tmp_path)
    with pytest.raises(UserError, match="folder of a run"):
        build_report(tmp_path / "nowhere")


def with_tries(run_dir: Path) -> None:
    """Statistics as augmentation writes them today, with a video of a failed try."""
    path = run_dir / "generated.hdf5.stats.json"
    stats = json.loads(path.read_text())
    stats["subtasks"][0] |= {
        "name": "grasp_1",
        "steps": 2200,
        "causes": [{"cause": "missed", "tries": 9, "means": "the gripper closed 2 cm beside where it holds cube_2"}],
        "sources": {"demo_0": {"tries": 30, "reached": 24}, "demo_7": {"tries": 14, "reached": 11}},
    }
    stats["attempt_causes"] = [{"subtask": "grasp_1", "cause": "missed", "attempts": 10}]
    grid = [[[2, 1, 0], [0, 3, 0]], [[4, 0, 1], [0, 0, 0]]]
    won = [[[2, 1, 0], [0, 0, 0]], [[4, 0, 1], [0, 0, 0]]]
    view = {"cells": 12, "visited": 5, "filled": 4, "attempts": grid, "successes": won}
    view["edges"] = {"cube_2": {"x": [0.4, 0.5, 0.6], "y": [-0.1, 0.0, 0.1], "yaw": [-0.8, -0.3, 0.3, 0.8]}}
    bounds = {"cube_2 x": [0.4, 0.5], "cube_2 y": [0.0, 0.1], "cube_2 yaw": [-0.3, 0.3]}
    stats["coverage"] = {
        "share": 0.8, "visited": 5, "filled": 4, "unseen": 0.1, "objects": {"cube_2": view}, "pairs": {},
        "owed": [{"objects": ["cube_2"], "attempts": 3, "bounds": bounds}],
    }  # fmt: skip
    path.write_text(json.dumps(stats))
    folder = run_dir / "generated.failures"
    folder.mkdir()
    (folder / "grasp_1_missed_00004.mp4").write_bytes(b"a film of a miss")
    entry = {"file": "grasp_1_missed_00004.mp4", "subtask": "grasp_1", "cause": "missed", "attempt": 4, "off_m": 0.021}
    (folder / "videos.json").write_text(json.dumps([entry | {"source_demo": "demo_7", "object": "cube_2"}]))


def test_the_page_says_why_tries_failed_and_which_demos_were_used(run_dir):
    with_tries(run_dir)
    text = plain(build_report(run_dir))
    assert "1. grasp_1 · franka9missedthe gripper closed 2 cm beside where it holds cube_2" in text
    assert "demo_711 of 14" in text
    assert "1. grasp_1 · franka441.1035 (79.5 %)73" in text
    assert "grasp_1missed10" in text


def test_the_page_shows_coverage_and_names_the_cells_without_a_success(run_dir):
    with_tries(run_dir)
    path = build_report(run_dir)
    assert "Successes fill 4 of 5 cells that attempts visited: 80.0 %." in plain(path)
    assert "cube_2 x 0.40 to 0.50 m, cube_2 y 0.00 to 0.10 m, cube_2 yaw -0.30 to 0.30 rad3" in plain(path)
    assert "3 attempts, 3 failed" in path.read_text(encoding="utf-8")


def test_the_page_shows_failed_tries(run_dir):
    with_tries(run_dir)
    path = build_report(run_dir)
    films = [base64.b64decode(one.partition(",")[2]) for one in read(path).references if one.startswith("data:")]
    assert b"a film of a miss" in films
    assert "grasp_1: missedattempt 4 · demo_7 · cube_2 · 2.1 cm off" in plain(path)


@pytest.mark.parametrize("name", ["generated.hdf5", "generated.hdf5.stats.json"])
def test_a_generated_file_has_a_page_of_its_own(run_dir, name):
    with_tries(run_dir)
    (run_dir / "generated.hdf5").touch()
    path = build_report(run_dir / name)
    assert path == run_dir / "generated.hdf5.report.html"
    text = plain(path)
    assert "30 of 40 attempts ended in held success" in text
    assert "grasp_1: missed" in text
    assert "6 of 8 rollouts" not in text


def test_a_file_without_statistics_is_refused(run_dir):
    (run_dir / "source.hdf5").touch()
    with pytest.raises(UserError, match=r"without source\.hdf5\.stats\.json beside it"):
        build_report(run_dir / "source.hdf5")
