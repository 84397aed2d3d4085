"""n-step returns stop where an episode stops."""
import pytest
import torch

from lzero_mow.model.scalezero.n_step import n_step_return


def plain_loop(reward, value, terminated, truncated, discount, n):
    """The definition, number by number."""
    target, usable = torch.zeros_like(value), torch.ones(value.shape, dtype=torch.bool)
    for b in range(value.shape[0]):
        for t in range(value.shape[1]):
            for k in range(n):
                target[b, t] += discount ** k * reward[b, t + k]
                if terminated[b, t + k]:
                    break
                if truncated[b, t + k]:
                    usable[b, t] = False
                    break
            else:
                target[b, t] += discount ** n * value[b, t]
    return target, usable


@pytest.mark.unittest
@pytest.mark.parametrize('n', [1, 2, 5])
@pytest.mark.parametrize('often', [0., 0.05, 0.4])
def test_equals_a_plain_loop(n, often):
    generator = torch.Generator().manual_seed(n)
    B, L = 20, 7
    reward, value = torch.randn(B, L + n, generator=generator), torch.randn(B, L, generator=generator)
    terminated, truncated = torch.rand(2, B, L + n, generator=generator) < often
    target, usable = n_step_return(reward, value, terminated, truncated, 0.9, n)
    expected, expected_usable = plain_loop(reward, value, terminated, truncated, 0.9, n)
    assert target.shape == (B, L) and target.dtype == torch.float32 and usable.dtype == torch.bool
    torch.testing.assert_close(target, expected)
    assert torch.equal(usable, expected_usable)
    assert usable.all() == (often == 0)


@pytest.mark.unittest
def test_by_hand():
    """Step 3 ends the episode in one of three ways; n = 2, gamma = 1/2, every value 100."""
    reward, value = torch.tensor([[1., 2, 4, 8, 16, 32, 64]]), torch.full((1, 5), 100.)
    at_3 = torch.arange(7)[None] == 3
    never = torch.zeros_like(at_3)
    target, usable = n_step_return(reward, value, at_3, never, 0.5, 2)
    assert target.tolist() == [[1 + 1 + 25, 2 + 2 + 25, 4 + 4, 8, 16 + 16 + 25]] and usable.all()
    target, usable = n_step_return(reward, value, never, at_3, 0.5, 2)
    assert target[usable].tolist() == [27, 29, 57] and usable.tolist() == [[True, True, False, False, True]]
    # Both at once: nothing would have followed.
    assert n_step_return(reward, value, at_3, at_3, 0.5, 2)[1].all()


@pytest.mark.unittest
def test_a_broken_value_behind_an_end_spoils_nothing():
    """The value behind an end is another episode's; even nan must not come through."""
    end = torch.tensor([[True, False, False]])
    target, _ = n_step_return(torch.ones(1, 3), torch.tensor([[float('nan'), 5.]]), end, ~end & end, 1., 1)
    assert target.tolist() == [[1., 6.]]
