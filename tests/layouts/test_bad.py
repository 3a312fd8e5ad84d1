"""Every file in `bad/` gives exactly the message beside it; a new check is a new file.

`python tests/layouts/test_bad.py` writes the messages anew, to be read in review.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from gamelake.errors import LayoutError
from gamelake.layouts.load import load_file, load_folder

BAD = Path(__file__).parent / "bad"
FILES = {
    file.stem: file for file in sorted(BAD.iterdir()) if file.suffix != ".txt" and ".query." not in file.name
}


def message_of(name: str, folder: Path) -> str:
    """The error of one bad file, as the command line prints it."""
    file = folder / "gold" / FILES[name].name
    file.parent.mkdir(exist_ok=True)
    shutil.copy(FILES[name], file)
    for beside in BAD.glob(f"{name}.query.*"):
        shutil.copy(beside, file.parent)
    with pytest.raises(LayoutError) as caught:
        load_file(file, "wow")
    return str(caught.value).replace(f"{file.parent}/", "") + "\n"


@pytest.mark.parametrize("name", FILES)
def test_a_bad_layout_gets_its_message(name, tmp_path) -> None:
    assert message_of(name, tmp_path) == (BAD / f"{name}.txt").read_text(encoding="utf-8")


def test_every_message_belongs_to_a_file() -> None:
    assert sorted(file.stem for file in BAD.glob("*.txt")) == sorted(FILES)


def test_all_mistakes_of_all_files_come_at_once(tmp_path) -> None:
    (tmp_path / "gold").mkdir()
    for name in ("unknown_key", "unknown_type"):
        shutil.copy(BAD / f"{name}.sql", tmp_path / "gold" / f"{name}.sql")

    with pytest.raises(LayoutError) as caught:
        load_folder(tmp_path, "wow")

    assert "unknown_key.sql:2" in str(caught.value)
    assert "unknown_type.sql:11" in str(caught.value)


def test_a_layout_outside_of_a_layer_is_refused(tmp_path) -> None:
    shutil.copy(BAD / "unknown_key.sql", tmp_path / "x.sql")

    with pytest.raises(LayoutError, match="a layout lies in the folder of its layer"):
        load_folder(tmp_path, "wow")


def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path) -> None:
    (tmp_path / "gold").mkdir()
    (tmp_path / "gold" / "x.sql").write_bytes(b"/* ---\ndescription: \xff\n--- */\n")

    with pytest.raises(LayoutError) as caught:
        load_folder(tmp_path, "wow")

    assert str(caught.value).endswith("x.sql:2: the file is not UTF-8 text")


if __name__ == "__main__":
    import tempfile

    for bad_name in FILES:
        with tempfile.TemporaryDirectory() as scratch:
            text = message_of(bad_name, Path(scratch))
        (BAD / f"{bad_name}.txt").write_text(text, encoding="utf-8")
        sys.stdout.write(f"== {bad_name}\n{text}")
