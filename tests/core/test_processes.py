"""Parts of a batch, without other processes: what rows draw, and what an environment must say. Several processes are in
tests/end_to_end/test_processes.py."""

import pytest
import torch

from unclip.core import processes
from unclip.core.noise import Noise, Rows
from unclip.diffusion.schedules.base import stratified

PARTS = [Rows(0, 3, 8), Rows(3, 1, 8), Rows(4, 4, 8)]


def test_parts_of_a_batch_draw_what_the_whole_draws():
    whole, parts = Noise.shared(1, 2), [Noise.shared(1, 2).of(rows) for rows in PARTS]
    for _ in range(2):  # the stream goes on in step
        normal, integers = whole.normal((8, 3, 2)), whole.integers(9, (8,))
        assert torch.equal(torch.cat([p.normal((p.own(normal).shape[0], 3, 2)) for p in parts]), normal)
        assert torch.equal(torch.cat([p.integers(9, (len(p.own(integers)),)) for p in parts]), integers)
    assert torch.equal(
        torch.cat([p.fork("x").uniform((r.count,)) for p, r in zip(parts, PARTS, strict=True)]),
        whole.fork("x").uniform((8,)),
    )


def test_what_is_common_is_the_same_in_all_parts():
    noise = Noise.shared(3)
    wanted = noise.uniform((1,))
    assert all(torch.equal(Noise.shared(3).of(rows).uniform((1,), common=True), wanted) for rows in PARTS)


def test_times_of_parts_are_the_slices_of_the_whole_batch():
    times = torch.cat([stratified(rows.count, Noise.shared(5).of(rows)) for rows in PARTS])
    assert torch.equal(times, stratified(8, Noise.shared(5)))
    assert sorted((8 * times).long().tolist()) == list(range(8))


def test_a_part_that_is_not_its_rows_is_refused():
    with pytest.raises(AssertionError, match="4 rows are not the 3 of this part"):
        Noise.shared(0).of(PARTS[0]).normal((4,))


def test_alone_it_has_all():
    x = torch.randn(3, requires_grad=True)
    assert processes.gathered(x) is x and processes.averaged(x) is x
    assert (processes.count(), processes.rank(), processes.leads(), processes.rows(4)) == (1, 0, True, None)
    assert processes.share(7) == slice(0, 7) and processes.otherwise("anything") == []
    with processes.joined({}):
        assert processes.count() == 1


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE = 2, but RANK, MASTER_ADDR, MASTER_PORT is not set; start it with torchrun"),
        ({"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "here"}, "MASTER_PORT is not set"),
        ({"WORLD_SIZE": "many"}, "WORLD_SIZE = 'many': expected a whole number"),
    ],
)
def test_an_environment_that_says_half(environ: dict[str, str], told: str):
    with pytest.raises(ValueError, match=told), processes.joined(environ):
        pass


def test_a_batch_that_cannot_be_shared(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processes, "count", lambda: 3)
    with pytest.raises(ValueError, match="clip.train.batch = 32 cannot be shared by 3 processes; take a multiple of 3"):
        processes.check_batch("clip.train.batch", 32)
