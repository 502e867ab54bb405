"""Pictures moved, turned and scaled: every cell of the result is looked up in the picture."""

import torch
import torch.nn.functional as F

# What is found outside of the picture, in Keras's words and in torch's.
FILL_MODES = {"reflect": "reflection", "nearest": "border", "constant": "zeros", "wrap": "zeros"}
INTERPOLATIONS = ("bilinear", "nearest")


def resample(
    pictures: torch.Tensor,
    maps: torch.Tensor,
    fill_mode: str = "reflect",
    interpolation: str = "bilinear",
    fill_value: float = 0.0,
) -> torch.Tensor:
    """Pictures whose cell (column, row) is looked up at `map @ (column, row, 1)`.

    Args:
        pictures: (N, H, W, C), floating.
        maps: (N, 3, 3), in cells; the last row is (0, 0, 1).
        fill_mode: What lies outside: "reflect", "nearest", "constant" or "wrap".
        interpolation: "bilinear" or "nearest".
        fill_value: What lies outside with "constant".

    Returns:
        (N, H, W, C).

    Example:
        >>> row = torch.tensor([[[[1.0], [2.0], [3.0]]]])
        >>> one_to_the_right = torch.tensor([[[1.0, 0.0, -1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
        >>> resample(row, one_to_the_right, "wrap").ravel().tolist()
        [3.0, 1.0, 2.0]
    """
    height, width = pictures.shape[1:3]
    planes = pictures.permute(0, 3, 1, 2)
    places = _places(_from_cells(maps, height, width).to(pictures.dtype), height, width)
    if fill_mode == "wrap":
        planes, places = _wrapped(planes, places)
    elif fill_mode == "constant" and fill_value:
        planes = planes - fill_value
    found = F.grid_sample(planes, places, interpolation, FILL_MODES[fill_mode], align_corners=False)
    if fill_mode == "constant" and fill_value:
        found += fill_value
    return found.permute(0, 2, 3, 1)


def _from_cells(maps: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The maps (N, 2, 3) for places counted from -1 to 1 across the picture instead of in cells."""
    scale = maps.new_tensor([[width / 2, 0, (width - 1) / 2], [0, height / 2, (height - 1) / 2], [0, 0, 1]])
    return (torch.linalg.inv(scale) @ maps @ scale)[:, :2]


def _places(maps: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Where each cell is looked up, (N, H, W, 2): as `torch.nn.functional.affine_grid`, several times as fast."""
    columns, rows = ((maps.new_tensor(range(size)) * 2 + 1) / size - 1 for size in (width, height))
    places = maps.new_empty(len(maps), height, width, 2)
    for axis in (0, 1):
        of_column, of_row, shift = (maps[:, axis, index, None] for index in range(3))
        across, down = of_column * columns, of_row * rows + shift
        torch.add(across[:, None, :], down[:, :, None], out=places[..., axis])
    return places


def _wrapped(planes: torch.Tensor, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Planes with a row and a column of the opposite side at each edge, and places brought inside."""
    height, width = planes.shape[2:]
    size = places.new_tensor([width, height])
    cells = torch.remainder((places + 1) * size / 2, size)  # from the left edge of cell 0
    wider = torch.cat([planes[..., -1:], planes, planes[..., :1]], -1)
    wider = torch.cat([wider[..., -1:, :], wider, wider[..., :1, :]], -2)
    return wider, (cells + 1) * 2 / (size + 2) - 1
