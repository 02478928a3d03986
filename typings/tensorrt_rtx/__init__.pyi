# SPDX-License-Identifier: Apache-2.0
"""What TensorRT-RTX has beside the names of `tensorrt`; checked by the same test."""

import tensorrt
from typing_extensions import Buffer

class ComputeCapability:
    SM75: ComputeCapability
    SM89: ComputeCapability
    SM120: ComputeCapability

class DynamicShapesKernelSpecializationStrategy:
    EAGER: DynamicShapesKernelSpecializationStrategy

class BuilderFlag(tensorrt.BuilderFlag):
    REQUIRE_USER_ALLOCATION: BuilderFlag

class IBuilderConfig(tensorrt.IBuilderConfig):
    num_compute_capabilities: int
    def set_compute_capability(
        self, compute_capability: ComputeCapability, index: int
    ) -> bool: ...

class IRuntimeCache:
    def serialize(self) -> tensorrt.IHostMemory | None: ...
    def deserialize(self, blob: Buffer) -> bool: ...

class IRuntimeConfig:
    dynamic_shapes_kernel_specialization_strategy: DynamicShapesKernelSpecializationStrategy
    def create_runtime_cache(self) -> IRuntimeCache | None: ...
    def set_runtime_cache(self, cache: IRuntimeCache) -> bool: ...

class IExecutionContext(tensorrt.IExecutionContext):
    def is_stream_capturable(self, stream: int) -> bool: ...

class ICudaEngine(tensorrt.ICudaEngine):
    def create_runtime_config(self) -> IRuntimeConfig | None: ...
    def create_execution_context(
        self, runtime_config: IRuntimeConfig = ...
    ) -> IExecutionContext | None: ...
