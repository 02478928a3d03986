# SPDX-License-Identifier: Apache-2.0
"""What TensorRT-RTX's run time has beside TensorRT's, for a GPU that is not there.

Which names and parameters there are is not this file's word: test_typings.py holds it to
`typings/`.
"""

from typing import Any

KERNELS = b"kernels compiled for this GPU"


class FakeRuntimeCache:
    """Stands in for tensorrt_rtx.IRuntimeCache; takes only what it gave."""

    def __init__(self) -> None:
        self._kernels = b""

    def serialize(self) -> bytes:
        return self._kernels

    def deserialize(self, blob: bytes) -> bool:
        self._kernels = KERNELS if blob == KERNELS else b""
        return bool(self._kernels)


class FakeRuntimeConfig:
    """Stands in for tensorrt_rtx.IRuntimeConfig.

    faults: names of methods that fail
    """

    dynamic_shapes_kernel_specialization_strategy: Any = None

    def __init__(self, faults: set[str]) -> None:
        self._faults = faults
        self._cache: FakeRuntimeCache | None = None

    def create_runtime_cache(self) -> FakeRuntimeCache:
        return FakeRuntimeCache()

    def set_runtime_cache(self, cache: FakeRuntimeCache) -> bool:
        if "set_runtime_cache" in self._faults:
            return False
        self._cache = cache
        return True

    def compile(self) -> bool:
        """As making a context does; says whether there was anything to compile."""
        if self._cache is None:
            return True
        return not self._cache.serialize() and self._cache.deserialize(KERNELS)
