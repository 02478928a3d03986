# SPDX-License-Identifier: Apache-2.0
"""How benchmarks report: tables, sections of a document, and nothing that was not asked for."""

from argparse import Namespace
from pathlib import Path

import pytest

from benchmarks import reporting


def test_a_table_has_three_digits_and_a_dash_for_what_is_not_known() -> None:
    lines = reporting.table(("a", "b"), [(1.23456, None), (12345.6, "x")]).splitlines()
    assert lines == ["| a | b |", "| --- | --- |", "| 1.23 | - |", "| 12346 | x |"]


def test_a_section_is_replaced_and_others_stay(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text("# Performance\n\n<!-- a -->\nold\n<!-- end of a -->\n\nmore\n")
    reporting.write_section("a", "new", document)
    reporting.write_section("b", "another", document)
    assert document.read_text() == (
        "# Performance\n\n<!-- a -->\nnew\n<!-- end of a -->\n\nmore\n\n"
        "<!-- b -->\nanother\n<!-- end of b -->\n"
    )


def test_the_command_is_told_without_the_folders_of_this_machine() -> None:
    found = reporting.conditions("node", ["--model", "/home/me/net.onnx", "--out=/tmp/a.json"])
    assert found["command"] == "python -m benchmarks.node --model net.onnx --out=a.json"


def test_nothing_is_written_that_was_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    plots: list[Path] = []
    options = Namespace(out=None, document=None)
    reporting.finish({}, "a", "the text", options, plots.append)
    assert capsys.readouterr().out == "the text\n"
    assert not plots
    assert list(tmp_path.iterdir()) == []
    options = Namespace(out=tmp_path / "x" / "a.json", document=tmp_path / "y" / "d.md")
    reporting.finish({"ms": 1}, "a", "the text", options, plots.append)
    assert (tmp_path / "x" / "a.json").read_text() == '{\n "ms": 1\n}\n'
    assert "the text" in (tmp_path / "y" / "d.md").read_text()
    assert plots == [tmp_path / "y" / "a.png"]


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "²"])
def test_counts_are_whole_numbers_above_0(text: str) -> None:
    assert reporting.positive("3") == 3
    with pytest.raises(Exception, match="is no whole number above 0"):
        reporting.positive(text)
