"""The network of codes: causal, the same at once and code by code, deaf to padding."""

import pytest
import torch
from tests.fakes import awake, built, draw

from unclip.core.condition import Condition
from unclip.core.noise import Noise
from unclip.nn.prior.caption_net import PriorNetConfig
from unclip.nn.prior.code_net import CodeNet, cosines

K, COUNT = 5, 16
MASK = torch.tensor([[True, True, False, False], [True, True, True, True]])
COND = Condition(vector=draw(2, 6), tokens=draw(2, 4, 8), mask=MASK)
DOT = torch.tensor([1, 4])
CODES = Noise.shared("codes").integers(COUNT, (2, K))


@pytest.fixture
def net() -> CodeNet:
    config = PriorNetConfig(6, 8, context=4, width=16, layers=2, heads=2)
    made = awake(built(lambda: CodeNet(config, dims=K, buckets=COUNT, dots=4, waves=8)))
    assert isinstance(made, CodeNet)
    return made


def test_code_by_code_gives_what_all_at_once_gives(net: CodeNet):
    together = net(COND, DOT, CODES)
    logits, walk = net.start(COND, DOT)
    alone = [logits, *(walk.step(CODES[:, j]) for j in range(K - 1))]
    assert together.shape == (2, K, COUNT)
    assert torch.allclose(torch.stack(alone, dim=1), together, atol=1e-5)


def test_a_code_is_seen_by_later_ones_only(net: CodeNet):
    before = net(COND, DOT, CODES)
    for j in range(K):
        other = CODES.clone()
        other[:, j] = (other[:, j] + 5) % COUNT
        differs = (net(COND, DOT, other) - before).abs().amax((0, 2)) > 1e-4
        assert differs.tolist() == [i > j for i in range(K)]


def test_caption_text_and_dot_product_are_heard_and_padding_is_not(net: CodeNet):
    assert COND.tokens is not None and COND.vector is not None
    before = net(COND, DOT, CODES)
    spoilt = COND.tokens + 50 * ~MASK[:, :, None]
    assert torch.allclose(net(Condition(vector=COND.vector, tokens=spoilt, mask=MASK), DOT, CODES), before, atol=1e-4)
    for cond, dot in [
        (Condition(vector=COND.vector, tokens=COND.tokens + 1, mask=MASK), DOT),
        (Condition(vector=COND.vector + 1, tokens=COND.tokens, mask=MASK), DOT),
        (COND, DOT - 1),
    ]:
        assert ((net(cond, dot, CODES) - before).abs().amax((1, 2)) > 1e-3).all()


def test_all_waves_can_tell_every_code_from_every_other():
    places = cosines(16, 16)
    assert torch.allclose(places @ places.t() / 16, torch.eye(16), atol=1e-5)
    assert torch.allclose(cosines(16, 4).square().mean(0), torch.ones(4), atol=1e-5)
    config = PriorNetConfig(6, 8, context=4, width=16, layers=1, heads=2)
    with pytest.raises(ValueError, match="waves = 17: with 16 buckets, 1 to 16"):
        CodeNet(config, dims=2, buckets=16, dots=4, waves=17)
