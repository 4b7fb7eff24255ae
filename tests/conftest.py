import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def arc_data() -> Path:
    """The folder of real ARC files; a test that asks for it is skipped where there is none."""
    folder = os.environ.get("ARCKIT_DATA")
    if not folder:
        pytest.skip("needs real ARC files: ARCKIT_DATA is not set")
    if not Path(folder).is_dir():
        pytest.skip(f"needs real ARC files: ARCKIT_DATA is {folder!r}, which is not a folder")
    return Path(folder)


@pytest.fixture(scope="session")
def golden() -> Path:
    """The reference's recorded behaviour; see the README there."""
    return Path(__file__).parent / "golden"
