"""An exported policy acts like the checkpoint, without Robomimic and without torch."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from learn_demos import observation, write_demos
from test_learn_policy import CONFIGS

from apprentice.errors import UserError
from apprentice.learn.cfg import TrainCfg
from apprentice.learn.play.export import export
from apprentice.learn.play.policy import load_policy
from apprentice.learn.training.train import train

KINDS = ("chunked_bc", "chunked_bc_ensemble", "act", "flow", "diffusion", "open_loop_gru", "rnn_gmm", "transformer")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demos(tmp_path_factory.mktemp("demos") / "demos.hdf5", count=6, length=30)


@pytest.fixture(scope="module", params=KINDS)
def trained(request: pytest.FixtureRequest, file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "config.json").write_text(json.dumps(CONFIGS[request.param]))
    train(file, folder / "run", TrainCfg(config=folder / "config.json", steps=15))
    return folder / "run"


@pytest.fixture(scope="module")
def exported(trained: Path) -> Path:
    result = export(trained, trained.parent / "exported")
    assert result.onnx_difference < 1e-4
    assert result.torchscript_difference < 1e-4
    return result.folder


def test_it_plays_a_demo_as_the_checkpoint_does_where_only_numpy_and_onnxruntime_are(
    file: Path, trained: Path, exported: Path, tmp_path: Path
):
    policy = load_policy(trained)
    steps = [observation(file, policy.obs_keys, step) for step in range(28)]
    np.savez(tmp_path / "obs.npz", **{f"{n}:{k}": v[0].numpy() for n, obs in enumerate(steps) for k, v in obs.items()})
    script = (
        "import sys, numpy as np\n"
        f"sys.path.insert(0, {str(exported)!r})\n"
        "from onnx_runner import PolicyRunner\n"
        f"obs = np.load({str(tmp_path / 'obs.npz')!r})\n"
        f"runner = PolicyRunner({str(exported)!r}, seed=3)\n"
        "for episode in range(2):\n"
        "    runner.reset()\n"
        "    rows = [runner.act({k: obs[f'{n}:{k}'] for k in runner.observations}) for n in range(28)]\n"
        "assert not {'torch', 'robomimic', 'apprentice'} & set(sys.modules)\n"
        f"np.save({str(tmp_path / 'actions.npy')!r}, np.stack(rows))\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    played = np.load(tmp_path / "actions.npy")

    policy.start(1)
    if trained.parent.name.startswith(("rnn_gmm", "flow", "diffusion")):
        assert np.isfinite(played).all()  # it draws its actions from another generator there
        return
    expected = torch.cat([policy.act({key: value[:1] for key, value in obs.items()}) for obs in steps]).numpy()
    assert np.abs(played - expected).max() < 1e-4
    assert np.abs(np.diff(expected, axis=0)).max() > 1e-3


def test_it_does_not_write_over_what_is_there(trained: Path, exported: Path):
    with pytest.raises(UserError, match="new or empty"):
        export(trained, exported)


def test_a_missing_observation_is_named(exported: Path):
    from apprentice.learn.play.onnx_runner import PolicyRunner

    with pytest.raises(ValueError, match="Expected the observation"):
        PolicyRunner(exported).act({})
