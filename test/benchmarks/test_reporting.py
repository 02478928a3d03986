# SPDX-License-Identifier: Apache-2.0
"""How benchmarks report: tables, sections of a document, and nothing that was not asked for."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from benchmarks import reporting
from carla_unet_ros.command_line import parse


def test_a_table_has_three_digits_and_a_dash_for_what_is_not_known() -> None:
    lines = reporting.table("a | b", [(1.23456, None), (12345.6, "x")]).splitlines()
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
    found = reporting.conditions("node", ["--document", "docs/planners.md"])
    assert found["command"] == "python -m benchmarks.node --document docs/planners.md"


def test_nothing_is_written_that_was_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    benchmark = reporting.Benchmark(
        "b.a",
        reporting.Report,
        lambda _: {"ms": 1},
        lambda results: f"the text: {results['ms']} ms",
        lambda _: Figure(),
    )
    assert benchmark.main([]) == 0
    assert capsys.readouterr().out == "the text: 1 ms\n"
    assert list(tmp_path.iterdir()) == []
    out, document = tmp_path / "x" / "a.json", tmp_path / "y" / "d.md"
    assert benchmark.main([f"--out={out}", f"--document={document}"]) == 0
    assert json.loads(out.read_text())["ms"] == 1
    assert "<!-- a -->\nthe text: 1 ms\n<!-- end of a -->" in document.read_text()
    assert (tmp_path / "y" / "a.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_file_the_section_in_the_documents_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "ROOT", tmp_path)
    benchmark = reporting.Benchmark("a", reporting.Report, lambda _: {}, lambda _: "text")
    assert benchmark.main(["--document"]) == 0
    assert "text" in (tmp_path / "docs" / "performance.md").read_text()


def test_what_failed_makes_the_status_1_and_is_reported() -> None:
    for failed, status in (["an engine"], 1), ([], 0):
        results = {"failed": failed}
        benchmark = reporting.Benchmark("a", reporting.Report, lambda _, r=results: r, str)
        assert benchmark.main([]) == status


@dataclass(frozen=True, kw_only=True)
class Counts(reporting.Report):
    number: int = 3
    cameras: tuple[int, ...] = ()


@pytest.mark.parametrize("words", ["--number 0", "--number -1", "--cameras 2 0"])
def test_counts_are_whole_numbers_above_0(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(Counts, "counts", words.split())
    assert "expected 1 or more" in capsys.readouterr().err
    assert parse(Counts, "counts", ["--number", "1", "--cameras", "2"]).cameras == (2,)
