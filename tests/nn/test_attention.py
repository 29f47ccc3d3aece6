"""Attention: one meaning in both of its forms, and no look where none is allowed."""

import pytest
import torch
import torch.nn.functional as F
from tests.fakes import awake, built, draw

from unclip.nn.blocks import attention
from unclip.nn.blocks.attention import ImageAttention, attend, hide, split_heads
from unclip.nn.blocks.transformer import Transformer


@pytest.mark.parametrize("biased", [False, True])
def test_both_forms_of_attend_agree_in_values_and_gradients(biased: bool, monkeypatch: pytest.MonkeyPatch):
    q, k, v = (draw(2, 3, n, 8, key=n) for n in (4, 6, 7))
    k, v = k[:, :, :5], v[:, :, :5]
    bias = draw(2, 1, 4, 5, key="bias") if biased else None
    outcomes = []
    for short in (512, 0):  # the plain form, then scaled_dot_product_attention, both in training
        monkeypatch.setattr(attention, "SHORT", short)
        leaves = [t.clone().requires_grad_() for t in (q, k, v)]
        y = attend(*leaves, bias)
        outcomes.append([y.detach(), *torch.autograd.grad(y.square().sum(), leaves)])
    for a, b in zip(*outcomes, strict=True):
        assert torch.allclose(a, b, atol=1e-5)
    with torch.no_grad():
        assert torch.allclose(attend(q, k, v, bias), F.scaled_dot_product_attention(q, k, v, attn_mask=bias), atol=1e-6)


def test_hidden_keys_have_no_weight():
    q, k, v = draw(2, 2, 3, 4), draw(2, 2, 5, 4, key=1), draw(2, 2, 5, 4, key=2)
    mask = torch.tensor([[True, True, False, True, False], [True, False, False, False, False]])
    y = attend(q, k, v, hide(mask))
    for i in range(2):
        part = slice(i, i + 1)
        assert torch.allclose(y[part], attend(q[part], k[part][:, :, mask[i]], v[part][:, :, mask[i]], None), atol=1e-6)


def test_split_heads():
    x = draw(2, 5, 6)
    assert torch.equal(split_heads(x, 3)[1, 2, 4], x[1, 4, 4:6])


def transformer(causal: bool) -> Transformer:
    return built(lambda: Transformer(16, 2, 4, causal)).eval()


def test_causal_sees_no_later_token():
    x, changed = draw(2, 6, 16), draw(2, 6, 16)
    changed[:, 4] += draw(16, key=1)
    a, b = transformer(True)(x), transformer(True)(changed)
    assert torch.equal(a[:, :4], b[:, :4])
    assert (a[:, 4:] - b[:, 4:]).abs().amax(-1).min() > 1e-3  # but the later ones do see it
    c, d = transformer(False)(x), transformer(False)(changed)
    assert (c - d).abs().amax(-1).min() > 1e-4


@pytest.mark.parametrize("causal", [False, True])
def test_a_padded_sequence_gives_what_the_short_one_gives(causal: bool):
    model, x = transformer(causal), draw(2, 6, 16)
    mask = torch.arange(6).expand(2, 6) < 4
    assert torch.allclose(model(x, hide(mask))[:, :4], model(x[:, :4]), atol=1e-5)


def test_image_attention_minds_tokens_within_the_mask_only():
    layer = awake(built(lambda: ImageAttention(16, 8, 12)))
    x, tokens = draw(2, 16, 4, 4), draw(2, 5, 12, key=1)
    mask = torch.arange(5).expand(2, 5) < 3
    inside, outside = tokens.clone(), tokens.clone()
    inside[:, 2] += draw(12, key=2)
    outside[:, 3:] += 100
    y = layer(x, tokens, mask)
    assert torch.allclose(layer(x, outside, mask), y, atol=1e-6)
    assert torch.allclose(layer(x, tokens[:, :3], None), y, atol=1e-6)
    assert (layer(x, inside, mask) - y).abs().max() > 1e-4
    assert (layer(x, tokens, None) - y).abs().max() > 1e-4
