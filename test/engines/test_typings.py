# SPDX-License-Identifier: Apache-2.0
"""The hand-written `typings/` are true: every name and parameter in them is in the library.

Pyright checks the engine against the typings, so a call with a wrong name, or a missing check of
None, is found without a GPU; that is worth something only as long as this holds.
"""

import ast
import importlib
import inspect
import re
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import cuda_double
import gpu_double
import pytest
import rtx_double

TYPINGS = Path(__file__).parents[2] / "typings"
COMMON = TYPINGS / "tensorrt" / "__init__.pyi"
RTX = TYPINGS / "tensorrt_rtx" / "__init__.pyi"
CUDA = TYPINGS / "cuda" / "bindings" / "runtime.pyi"

# A list of parameters for a function, None for any other name.
Names = dict[str, list[str] | None]


def declared(path: Path) -> Names:
    """Every name of a stub, "Builder.create_network", with its parameters."""
    names: Names = {}

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for statement in body:
            if isinstance(statement, ast.ClassDef):
                names[prefix + statement.name] = None
                visit(statement.body, f"{prefix}{statement.name}.")
            elif isinstance(statement, ast.FunctionDef):
                is_value = any(isinstance(item, ast.Name) for item in statement.decorator_list)
                parameters = [argument.arg for argument in statement.args.args]
                names[prefix + statement.name] = (
                    None if is_value else [name for name in parameters if name != "self"]
                )
            elif isinstance(statement, ast.AnnAssign):
                assert isinstance(statement.target, ast.Name)
                names[prefix + statement.target.id] = None

    visit(ast.parse(path.read_text()).body, "")
    return names


def found(module: ModuleType, name: str) -> Any:
    """The thing itself. Raises AttributeError where the library does not have it."""
    thing: Any = module
    for part in name.split("."):
        thing = getattr(thing, part)
    return thing


def overloads(thing: Any) -> list[list[str]]:
    """The parameters of each signature, which pybind11 writes into the first lines of the text."""
    name = thing.__name__
    lines = re.findall(rf"^(?:\d+\. )?{name}\((self: .*)\) -> ", thing.__doc__ or "", re.MULTILINE)
    return [re.findall(r"(\w+): ", re.sub(r"\[[^]]*\]", "", line))[1:] for line in lines]


def check_module(module: ModuleType, names: Names) -> int:
    """Checks all names, and the parameters wherever pybind11 tells them; returns how many told."""
    told = 0
    for name, parameters in names.items():
        thing = found(module, name)
        is_operator = name.endswith("__") and not name.endswith("__init__")
        if parameters is None or is_operator:
            continue
        signatures = overloads(thing)
        if not signatures:
            continue
        told += 1
        assert any(signature[: len(parameters)] == parameters for signature in signatures), (
            f"{name}: {parameters} in typings, {signatures} in {module.__name__}"
        )
    return told


LIBRARIES = ("tensorrt", "tensorrt_bindings", "tensorrt_rtx", "tensorrt_rtx_bindings")


@pytest.mark.parametrize("library", [name for name in LIBRARIES if find_spec(name)])
def test_the_common_names_are_in_every_library_installed(library: str) -> None:
    assert check_module(importlib.import_module(library), declared(COMMON)) >= 30


def test_the_rtx_names_are_in_tensorrt_rtx() -> None:
    module = pytest.importorskip("tensorrt_rtx_bindings")
    assert check_module(module, declared(RTX)) >= 3


def test_a_wrong_name_or_parameter_in_the_typings_is_noticed(tmp_path: Path) -> None:
    module = pytest.importorskip("tensorrt_rtx_bindings")
    stub = tmp_path / "wrong.pyi"
    stub.write_text("class Builder:\n    def create_nets(self, flags: int) -> None: ...\n")
    with pytest.raises(AttributeError, match="create_nets"):
        check_module(module, declared(stub))
    stub.write_text("class Builder:\n    def create_network(self, flag: int) -> None: ...\n")
    with pytest.raises(AssertionError, match=r"\['flag'\] in typings, \[\['flags'\]\]"):
        check_module(module, declared(stub))


def test_the_cuda_names_and_parameters_are_in_cuda_bindings() -> None:
    runtime = importlib.import_module("cuda.bindings.runtime")
    names = declared(CUDA)
    assert sum(parameters is not None for parameters in names.values()) > 25
    for name, parameters in names.items():
        thing = found(runtime, name)
        if parameters is not None and not name.endswith("__"):
            assert list(inspect.signature(thing).parameters) == parameters, name


@pytest.mark.parametrize(
    ("double", "stub", "prefix"),
    [
        (cuda_double.FakeCuda, CUDA, ""),
        (gpu_double.FakeTensorRT, COMMON, ""),
        (gpu_double.FakeRuntime, COMMON, "Runtime."),
        (gpu_double.FakeEngine, RTX, "ICudaEngine."),
        (gpu_double.FakeContext, RTX, "IExecutionContext."),
        (rtx_double.FakeRuntimeConfig, RTX, "IRuntimeConfig."),
        (rtx_double.FakeRuntimeCache, RTX, "IRuntimeCache."),
    ],
)
def test_the_double_of_a_gpu_has_no_name_or_parameter_of_its_own(
    double: type, stub: Path, prefix: str
) -> None:
    names = declared(COMMON) | declared(stub)
    names["Runtime"] = names["Runtime.__init__"] if stub != CUDA else None
    for name, function in inspect.getmembers(double, inspect.isfunction):
        if name.startswith("_") or name in ("queue", "compile"):
            continue
        parameters = list(inspect.signature(function).parameters)[1:]
        assert names[prefix + name] == parameters, f"{double.__name__}.{name}"
