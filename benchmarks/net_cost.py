"""What a net costs, counted and not estimated, and a net without skips that costs the same.

Leaving out the skip connections makes a net cheaper, so a comparison at equal width flatters the
U-Net: it has more to compute with. The fair opponent spends the difference on more channels.
"""

from dataclasses import replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from carla_unet_ros.training.net.unet import UNet, UNetConfig

_STEP = 4


def multiply_adds(config: UNetConfig, size: tuple[int, int]) -> int:
    """Multiply-adds of all convolutions for one frame of (width, height).

    Counted by running the net on torch's meta device, where tensors have shapes and no values.
    """
    width, height = size
    with torch.device("meta"), torch.no_grad():
        net = UNet(config).eval()
        with FlopCounterMode(display=False) as counter:
            net(torch.empty(1, 3, height, width))
    return counter.get_total_flops() // 2


def equal_cost(config: UNetConfig, size: tuple[int, int]) -> UNetConfig:
    """The net without skips that comes closest to this one's multiply-adds.

    No level of it is narrower. Both widths of a config are tried: channels alone change the cost
    in steps of a tenth or more, for they are few.
    """
    target = multiply_adds(config, size)
    widest = max(config.widths)
    best = replace(config, skips=False, max_channels=widest)
    least = abs(multiply_adds(best, size) - target)
    for channels in range(config.channels, 2 * config.channels + 1):
        for most in range(max(widest, channels), 2 * widest + 1, _STEP):
            candidate = replace(config, skips=False, channels=channels, max_channels=most)
            cost = multiply_adds(candidate, size)
            if abs(cost - target) < least:
                best, least = candidate, abs(cost - target)
            if cost > target:  # a higher cap only costs more
                break
    return best
