"""Write a policy as files that run without Apprentice."""

from __future__ import annotations

from pathlib import Path

import tyro

from apprentice.cli.output import say


def main(policy: tyro.conf.Positional[Path], output: Path) -> None:
    """Write a policy as ONNX and TorchScript, with normalisation and memory inside, for one environment.

    Both are compared with the checkpoint before this ends. `onnx_runner.py`, written beside them, plays the policy with
    numpy and onnxruntime alone.

    Args:
        policy: Folder that `apprentice train` wrote, or a Robomimic checkpoint.
        output: New folder for policy.onnx, policy.ts, policy.json and onnx_runner.py.
    """
    from apprentice.learn.play.export import export

    exported = export(policy, output)
    say(
        f"Actions differ from the checkpoint's by at most {exported.onnx_difference:.1e} (ONNX) and "
        f"{exported.torchscript_difference:.1e} (TorchScript)."
    )
    say(f"Copy {exported.folder} to the robot: onnx_runner.py plays it with numpy and onnxruntime.")
