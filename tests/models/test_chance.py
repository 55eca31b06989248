import torch

from outgrow.models.chance import seed_dropout


def test_draws_are_those_of_manual_seed_and_nothing_is_kept_for_cards_that_are_not_in_use():
    kept = len(torch.cuda._queued_calls)
    with torch.random.fork_rng():
        seed_dropout(5, torch.device("cpu"))
        own = torch.rand(4)
        assert len(torch.cuda._queued_calls) == kept
        torch.manual_seed(5)
        assert torch.equal(own, torch.rand(4))
