"""Copies are found, other pictures are not: against search by brute force, and on photographs of scikit-image."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from striate.data import similar
from striate.data.facts import look
from striate.data.similar import copies, count_ones, joined, near_hashes


@pytest.mark.parametrize("radius", [0, 3, 7])
def test_near_hashes_against_brute_force(radius):
    draw = np.random.default_rng(0)
    left = draw.integers(0, 2**64, 300, dtype=np.uint64)
    right = left[draw.integers(0, 300, 200)].copy()
    for place in range(200):
        for bit in draw.choice(64, draw.integers(0, 12), replace=False):
            right[place] ^= np.uint64(1 << int(bit))
    found = {(int(i), int(j)) for some in near_hashes(left, right, radius) for i, j in zip(*some, strict=True)}
    expected = {(i, j) for i in range(300) for j in range(200) if (int(left[i]) ^ int(right[j])).bit_count() <= radius}
    assert found == expected
    assert expected


def test_many_equal_hashes_are_compared_in_pieces(monkeypatch):
    monkeypatch.setattr(similar, "_CELLS", 7)
    same = np.full(10, 5, np.uint64)
    assert {(int(i), int(j)) for some in near_hashes(same, same) for i, j in zip(*some, strict=True)} == {
        (i, j) for i in range(10) for j in range(10)
    }
    assert not list(near_hashes(same[:0], same))


def test_ones_without_numpy_2(monkeypatch):
    words = np.random.default_rng(0).integers(0, 2**64, (3, 5), dtype=np.uint64)
    expected = [[int(word).bit_count() for word in row] for row in words]
    assert count_ones(words).tolist() == expected
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert count_ones(words).tolist() == expected


def test_sets_that_share_a_number_are_joined():
    assert joined(8, [[0, 3], [5, 6], [3, 4], [7]]) == [[0, 3, 4], [5, 6]]


@pytest.fixture(scope="module")
def photographs():
    """Five photographs that have nothing to do with each other."""
    data = pytest.importorskip("skimage.data")
    return [Image.fromarray(getattr(data, name)()) for name in ("chelsea", "coffee", "rocket", "astronaut", "camera")]


CHANGES = {
    "encoded": lambda image: image,
    "resized": lambda image: image.resize((image.width * 2 // 3, image.height * 2 // 3)),
    "mirrored": ImageOps.mirror,
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
}


def grouped(photographs, change, folder):
    for number, image in enumerate(photographs):
        image.convert("RGB").save(folder / f"{number}a.png")
        change(image.convert("RGB")).save(folder / f"{number}b.jpg", quality=60)
    return copies([look(str(path)) for path in sorted(folder.iterdir())])


@pytest.mark.parametrize("change", ["encoded", "resized", "mirrored", "brighter"])
def test_changed_copies_are_found_and_nothing_else(photographs, tmp_path, change):
    assert grouped(photographs, CHANGES[change], tmp_path) == [[2 * n, 2 * n + 1] for n in range(len(photographs))]


def test_tiny_and_empty_pictures_are_compared_exactly(tmp_path):
    for number, (size, shade) in enumerate([(100, 9), (100, 9), (100, 10), (40, 9), (40, 9)]):
        Image.new("RGB", (size, size), (shade,) * 3).save(tmp_path / f"{number}.png")
    assert copies([look(str(path)) for path in sorted(tmp_path.iterdir())]) == [[0, 1], [3, 4]]


def test_an_equal_hash_is_no_proof(tmp_path):
    """Two pictures of one brightness pattern but other colours."""
    x = np.linspace(0, 200, 100)[None].repeat(100, 0)
    flat = np.full_like(x, 60)
    for number, planes in enumerate([(x, flat, flat), (flat, flat, x)]):
        Image.fromarray(np.stack(planes, -1).astype(np.uint8)).save(tmp_path / f"{number}.png")
    one, two = (look(str(path)) for path in sorted(tmp_path.iterdir()))
    assert not similar.alike(one, two, mirrored=False)
    assert copies([one, two]) == []
