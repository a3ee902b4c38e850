"""`apprentice doctor` about operators: what it says is true, and says what to do."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from fake_hid import FakeSpaceMouse, build_library

from apprentice.cli import doctor
from apprentice.pipeline import diagnosis
from apprentice.pipeline.fact import Fact
from apprentice.pipeline.operator_facts import page_facts
from apprentice.record.cfg import RecordCfg
from apprentice.teleop.sources.spacemouse_hid import UDEV_RULE

ASK = """
import json, os
from dataclasses import asdict
from apprentice.pipeline.operator_facts import spacemouse_facts
facts = list(spacemouse_facts())  # loads the library, as not everybody may read where it is
if os.environ.get("AS_NOBODY") and os.getuid() == 0:
    os.setuid(65534)
    facts = list(spacemouse_facts())
print(json.dumps([asdict(fact) for fact in facts]))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lib")
    build_library(folder)
    return folder


@pytest.fixture
def devices():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield folder


def ask(library, devices, **more):
    environment = os.environ | {"LD_LIBRARY_PATH": str(library), "FAKE_HID_DIR": devices} | more
    command = [sys.executable, "-c", ASK]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_library_that_is_missing_is_named_with_its_package(tmp_path, devices):
    (tmp_path / "libhidapi-hidraw.so.0").write_bytes(b"no library")
    (fact,) = ask(tmp_path, devices)
    assert fact["status"] == "optional" and "hidapi" in fact["found"] and "libhidapi-hidraw0" in fact["advice"]


def test_devices_that_are_no_spacemouse_are_not_counted(library, devices):
    FakeSpaceMouse(devices, "046d-c077-mouse")
    (fact,) = ask(library, devices)
    assert fact["status"] == "optional" and "none" in fact["found"] and not fact["advice"]


def test_a_spacemouse_is_named_with_its_path(library, devices):
    FakeSpaceMouse(devices, "046d-c077-mouse")
    device = FakeSpaceMouse(devices)
    (fact,) = ask(library, devices)
    assert fact["status"] == "ok" and fact["found"] == f"SpaceMouseCompact at {device.path}" and not fact["file"]


def test_one_that_may_not_be_read_comes_with_the_rule_that_lets_people_read_it(library, devices):
    device = FakeSpaceMouse(devices)
    os.chmod(device.path, 0)
    (fact,) = ask(library, devices, AS_NOBODY="1")
    assert fact["status"] == "optional" and "no permission" in fact["found"] and str(device.path) in fact["found"]
    assert "/etc/udev/rules.d/70-spacemouse.rules" in fact["advice"] and fact["file"] == UDEV_RULE


def test_the_rule_is_printed_whole_to_be_copied(monkeypatch, capsys):
    facts = [Fact(status="optional", what="SpaceMouse", found=path, advice="x", file=UDEV_RULE) for path in "ab"]
    monkeypatch.setattr(diagnosis, "diagnose", lambda: facts)
    doctor.main()
    assert capsys.readouterr().out.count(UDEV_RULE) == 1


def test_the_port_of_the_page_is_free_or_taken_as_it_is():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        cfg = RecordCfg(port=listening.getsockname()[1])
        page, _ = page_facts(cfg)
        assert page.status == "optional" and "taken" in page.found and "--port 0" in page.advice
    page, _ = page_facts(cfg)
    assert page.status == "ok" and "free" in page.found


def test_the_authority_of_https_is_found_where_it_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("APPRENTICE_DATA", str(tmp_path))
    _, before = page_facts(RecordCfg(port=0))
    Path(tmp_path / "https").mkdir()
    (tmp_path / "https" / "ca.crt").write_text("x")
    _, after = page_facts(RecordCfg(port=0))
    assert "will be made" in before.found and "will be made" not in after.found
    assert str(tmp_path) in before.found and str(tmp_path) in after.found
    assert list(tmp_path.rglob("*.key")) == []  # looking makes none
