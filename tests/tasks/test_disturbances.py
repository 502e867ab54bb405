import numpy as np
import pytest

from striate.tasks.disturbances import picture_disturbances

DISTURBANCES = picture_disturbances()


def picture(channels, height=40, width=50):
    draw = np.random.default_rng(0)
    coarse = draw.integers(40, 216, (height // 10, width // 10, channels))
    return coarse.repeat(10, 0).repeat(10, 1).astype("uint8")


@pytest.mark.parametrize("name", DISTURBANCES)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_they_change_a_picture_the_more_the_stronger(name, channels):
    before = picture(channels)
    kept = before.copy()
    changes = []
    for strength in (0.0, 0.5, 1.0):
        after = DISTURBANCES[name](before, strength, np.random.default_rng(1))
        assert after.dtype == np.uint8
        assert after.shape == before.shape
        if name in ("darker", "brighter", "noise", "compression"):
            np.testing.assert_array_equal(after[..., 3:], before[..., 3:])
        changes.append(np.abs(after.astype(float) - before).mean())
    assert changes[0] == 0
    assert 0 < changes[1] < changes[2] < 90
    np.testing.assert_array_equal(before, kept)


def test_chance_decides_noise_and_tilt_and_nothing_else():
    for name, change in DISTURBANCES.items():
        results = [change(picture(3), 1.0, np.random.default_rng(seed)) for seed in range(8)]
        alike = all(np.array_equal(results[0], other) for other in results)
        assert alike == (name not in ("noise", "tilt")), name
        again = change(picture(3), 1.0, np.random.default_rng(0))
        np.testing.assert_array_equal(results[0], again)
