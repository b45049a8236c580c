"""What is seen of a folder without reading it."""

from __future__ import annotations

from pathlib import Path

from etl_actors.reloading.sight import NotingEnvironment, look
from etl_actors.settings.interpolation import read_variable


def test_every_way_to_change_a_file_is_seen(tmp_path: Path) -> None:
    """Written over, replaced, linked elsewhere, added, removed; what is not read is not seen."""
    (tmp_path / "connectors").mkdir()
    file, secret = tmp_path / "connectors" / "a.toml", tmp_path / "secret"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "b.toml").write_text("")
    link = tmp_path / "connectors" / "b.toml"
    seen = [look(tmp_path, [str(secret)])]

    def changed() -> bool:
        seen.append(look(tmp_path, [str(secret)]))
        return seen[-1] != seen[-2]

    file.write_text("a")
    assert changed()
    file.write_text("ab")
    assert changed()
    file.with_suffix(".new").write_text("ab")
    assert not changed()
    file.with_suffix(".new").replace(file)
    assert changed()
    link.symlink_to(tmp_path / "one" / "b.toml")
    assert changed()
    link.unlink()
    link.symlink_to(tmp_path / "two" / "b.toml")
    assert changed()
    secret.write_text("x")
    assert changed()
    (tmp_path / "service.toml").write_text("")
    assert changed()
    file.unlink()
    assert changed()
    assert seen[-1].lacking(seen[-2]) == {str(file)}


def test_it_is_noted_which_secret_files_are_read(tmp_path: Path) -> None:
    """Only those: a variable that is set goes before its file."""
    (tmp_path / "a").write_text("secret\n")
    environment = NotingEnvironment({"A_FILE": str(tmp_path / "a"), "B": "set", "B_FILE": "never read", "C_FILE": "x"})
    assert read_variable("A", environment) == "secret"
    assert read_variable("B", environment) == "set"
    assert read_variable("D", environment) is None
    assert environment.secret_files == {str(tmp_path / "a")}
