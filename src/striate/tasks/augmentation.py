"""Small random changes of pictures, which training does not learn by heart."""

import math

import torch
import torch.nn.functional as F

from striate.tasks.batches import Change


def jitter(shift: float, turn: float, zoom: float, flip: bool) -> Change:
    """Move, turn, scale and mirror each picture a little; its edges are repeated.

    Args:
        shift: The most that a picture moves, in parts of its side.
        turn: The most that it turns, in degrees.
        zoom: The most that it grows or shrinks, in parts of its size.
        flip: Whether half of the pictures are mirrored: not where left and right mean something, as in letters.

    Returns:
        A change of pictures (N, H, W, C), which keeps their dtype.

    Example:
        >>> change = jitter(0.0, 0.0, 0.0, flip=False)
        >>> change(torch.tensor([[[[1], [2]]]]), torch.Generator()).ravel().tolist()
        [1, 2]
    """

    def change(x: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
        count, height, width = x.shape[:3]
        random = torch.rand(5, count, generator=chance) * 2 - 1
        angle, size = random[0] * math.radians(turn), 1 + random[1] * zoom
        side = torch.where(random[2] < 0, -1.0, 1.0) if flip else torch.ones(count)
        cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
        # Rows of the map from places in the result to places in the picture, both from -1 to 1.
        across = torch.stack([cos * side, -sin * height / width, random[3] * 2 * shift], dim=1)
        down = torch.stack([sin * side * width / height, cos, random[4] * 2 * shift], dim=1)
        places = F.affine_grid(torch.stack([across, down], dim=1), [count, 1, height, width], align_corners=False)
        planes = x.permute(0, 3, 1, 2).float()
        moved = F.grid_sample(planes, places, padding_mode="border", align_corners=False)
        return (moved if x.is_floating_point() else moved.round()).to(x.dtype).permute(0, 2, 3, 1)

    return change
