# SPDX-License-Identifier: Apache-2.0
"""Scores a net during training, at full camera resolution, with the graph that is exported."""

from collections.abc import Sequence

import torch
from lightning_fabric import Fabric

from carla_unet_ros.evaluation.confusion_matrix import ConfusionMatrix
from carla_unet_ros.training.data.folders import PairFolder, camera_frame
from carla_unet_ros.training.net.frame_graph import FrameGraph
from carla_unet_ros.training.net.unet import UNet


@torch.no_grad()
def validate(
    net: UNet, folders: Sequence[PairFolder], network_size: tuple[int, int], fabric: Fabric
) -> dict[str, ConfusionMatrix]:
    """Confusion matrices by folder name, of all ranks. Each rank takes every n-th frame."""
    graph = FrameGraph(net, network_size).eval()
    scores: dict[str, ConfusionMatrix] = {}
    for folder in folders:
        matrix = ConfusionMatrix(net.config.classes)
        for index in range(fabric.global_rank, len(folder), fabric.world_size):
            frame, truth = folder.read(index)
            camera = torch.from_numpy(camera_frame(frame))
            with fabric.autocast():
                labels, _ = graph(camera.to(fabric.device))
            matrix.add(truth, labels.cpu().numpy())
        counts = torch.from_numpy(matrix.counts).to(fabric.device)
        matrix.counts = torch.as_tensor(fabric.all_reduce(counts, reduce_op="sum")).cpu().numpy()
        scores[folder.name] = matrix
    return scores


def mean_score(scores: dict[str, ConfusionMatrix]) -> float:
    """The score that chooses the best epoch: the mean of the folders' mean IoU."""
    return sum(matrix.mean_iou() for matrix in scores.values()) / len(scores)
