"""The pictures, and running `minilab render` on them."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import pictures
from recipes import HEAD

Render = Callable[..., Path]


@pytest.fixture
def render(minilab: Path, tmp_path: Path) -> Render:
    """`render(file, outputs)`: runs the binary with a recipe of these `[[output]]` tables; gives the folder of prints.

    Every key gets `{stem}/` in front: a recipe whose keys name no picture is refused.
    """

    def run(file: Path, outputs: str) -> Path:
        out = tmp_path / "prints"
        recipe = tmp_path / "recipe.toml"
        recipe.write_text(HEAD + outputs.replace('key = "', 'key = "{stem}/'), encoding="utf-8")
        command = [minilab, "render", file, "--config", recipe, "--out", out]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, f"minilab render ended with status {done.returncode}: {done.stderr[-2000:]}"
        assert out.is_dir() and any(path.is_file() for path in out.rglob("*")), "minilab render made no print at all"
        return out / file.stem

    return run


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of each kind of `pictures.GENERATED`, by its name."""
    folder = tmp_path_factory.mktemp("generated")
    return {name: pictures.write(name, folder) for name in pictures.GENERATED}
