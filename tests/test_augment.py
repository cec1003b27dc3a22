"""Random changes: each image its own, whatever the batch, the order or the epoch before."""

import torch

from tumorscope.augment import augment, draw_uniforms
from tumorscope.recipe import Augment

SPEC = Augment(rotation=15, horizontal_flip=0.5, vertical_flip=0.5)
PIXELS = torch.randint(0, 256, (6, 1, 24, 24)).float()


def test_an_image_draws_by_seed_epoch_and_row_alone() -> None:
    """Other images in the batch change nothing."""
    uniforms = draw_uniforms(seed=1, epoch=2, rows=6)
    whole = augment(PIXELS, uniforms, SPEC)
    alone = augment(PIXELS[4:5], uniforms[4:5], SPEC)
    torch.testing.assert_close(whole[4:5], alone)
    assert torch.equal(draw_uniforms(1, 2, 6), uniforms)
    assert not torch.equal(draw_uniforms(1, 3, 6), uniforms)
    assert not torch.equal(draw_uniforms(2, 2, 6), uniforms)


def test_flips_are_exact() -> None:
    """Without rotation a flip moves pixels and changes none."""
    spec = Augment(horizontal_flip=0.5, vertical_flip=0.5)
    uniforms = torch.tensor([[0.5, 0.1, 0.9], [0.5, 0.9, 0.1], [0.5, 0.1, 0.1], [0.5, 0.9, 0.9]])
    flipped = augment(PIXELS[:4], uniforms, spec)
    assert torch.equal(flipped[0], PIXELS[0].flip(2))
    assert torch.equal(flipped[1], PIXELS[1].flip(1))
    assert torch.equal(flipped[2], PIXELS[2].flip(1, 2))
    assert torch.equal(flipped[3], PIXELS[3])


def test_a_right_angle_is_a_quarter_turn() -> None:
    """The largest draw turns by the whole angle, and flips go with it."""
    spec = Augment(rotation=90, horizontal_flip=0.5)
    turned = augment(PIXELS[:1], torch.tensor([[1.0, 0.9, 0.9]]), spec)
    torch.testing.assert_close(turned, PIXELS[:1].rot90(1, (2, 3)), atol=0.05, rtol=0)
    both = augment(PIXELS[:1], torch.tensor([[1.0, 0.1, 0.9]]), spec)
    quarter_turns = [PIXELS[:1].flip(3).rot90(k, (2, 3)) for k in (1, 3)]
    assert any(torch.allclose(both, turn, atol=0.05) for turn in quarter_turns)


def test_no_augmentation_changes_nothing() -> None:
    """All fields at zero is the picture itself."""
    assert torch.equal(augment(PIXELS, draw_uniforms(0, 0, 6), Augment()), PIXELS)
