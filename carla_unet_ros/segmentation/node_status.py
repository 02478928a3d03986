# SPDX-License-Identifier: Apache-2.0
"""Builds the node's own status for /diagnostics: its state, model and engine.

<node>  state, model, label set, engine and why it is no better one, engine time, cameras
"""

from diagnostic_msgs.msg import DiagnosticStatus

from carla_unet_ros.ros.diagnostics import ERROR, OK, WARN, number, status
from carla_unet_ros.segmentation.engine_preparation import EnginePreparation


def node_status(
    node: str, state: str, preparation: EnginePreparation | None, cameras: int, refusal: str
) -> DiagnosticStatus:
    """ERROR where the node could not be configured, or its engine not be prepared; WARN meanwhile.

    preparation: None while there is none
    refusal:     why the last transition failed, or ""
    """
    if preparation is None:
        return status(node, ERROR if refusal else OK, refusal or state, {"state": state})
    segmenter = preparation.segmenter
    model, engine = segmenter.model, segmenter.engine
    median, p95 = segmenter.engine_milliseconds()
    values = {
        "state": state,
        "model": model.name,
        "model file": str(model.path),
        "label set": model.label_set.name,
        "engine": engine.name,
        "device": engine.device,
        "precision": engine.precision,
        "why this engine": engine.reason,
        "engine is prepared for": preparation.progress() or "nothing more",
        "engine time median (ms)": number(median),
        "engine time p95 (ms)": number(p95),
        "cameras": str(cameras),
    }
    if failure := refusal or preparation.failure():
        return status(node, ERROR, failure, values)
    running = f"{state}: {model.name} on {engine.name}"
    if progress := preparation.progress():
        return status(node, WARN, f"{running}, which is prepared for {progress}", values)
    return status(node, OK, running, values)
