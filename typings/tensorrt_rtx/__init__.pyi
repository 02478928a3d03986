"""What TensorRT-RTX has beside the names of `tensorrt`; checked by the same test."""

import tensorrt

class ComputeCapability:
    SM75: ComputeCapability
    SM89: ComputeCapability
    SM120: ComputeCapability

class DynamicShapesKernelSpecializationStrategy:
    EAGER: DynamicShapesKernelSpecializationStrategy

class BuilderFlag(tensorrt.BuilderFlag):
    REQUIRE_USER_ALLOCATION: BuilderFlag

class IRuntimeConfig:
    dynamic_shapes_kernel_specialization_strategy: DynamicShapesKernelSpecializationStrategy

class IExecutionContext(tensorrt.IExecutionContext):
    def is_stream_capturable(self, stream: int) -> bool: ...

class ICudaEngine(tensorrt.ICudaEngine):
    def create_runtime_config(self) -> IRuntimeConfig | None: ...
    def create_execution_context(
        self, runtime_config: IRuntimeConfig = ...
    ) -> IExecutionContext | None: ...
