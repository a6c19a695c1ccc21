import torch

from robustcert.bounds.early_decision import EarlyDecision, Ranges

INTERVALS = [(torch.tensor([[0.0, -1.0]]).double(), torch.tensor([[1.0, 1.0]]).double())]
SAMPLES = torch.zeros(4, dtype=torch.int64)
VALUES = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [2.0, 0.5], [0.0, 0.0]]]).double()


def early() -> EarlyDecision:
    return EarlyDecision(Ranges(INTERVALS), torch.full((4,), 0.1).double(), start=7)


def test_rows_whose_bound_exceeds_their_slack_are_left_out_and_keep_it() -> None:
    decision, total = early(), torch.tensor([[1.0, 1.0, 0.0, 0.05]]).double()
    rows = decision.look(3, {0: VALUES}, total, SAMPLES)
    assert rows is not None
    assert rows.tolist() == [1, 2, 3]
    decision.note(torch.tensor([[7.0, 8.0, 9.0]]).double())
    assert decision.best_VN.tolist() == [[1.0, 7.0, 8.0, 9.0]]


def test_parts_of_the_open_rows_are_decided_by_themselves() -> None:
    decision = early()
    decision.look(3, {0: VALUES}, torch.tensor([[1.0, 1.0, 0.0, 0.05]]).double(), SAMPLES)
    part = decision.part(slice(1, 3))
    rows = part.look(2, {0: VALUES[:, 2:]}, torch.tensor([[9.0, 0.0]]).double(), SAMPLES[2:])
    assert rows is not None
    assert rows.tolist() == [1]
    assert part.best_VN[0, 0] == 8.5


def test_nothing_is_looked_at_where_it_would_not_help() -> None:
    ranges, total = Ranges(INTERVALS), torch.zeros((1, 4)).double()
    decision = EarlyDecision(ranges, torch.full((4,), 0.1).double(), start=7)
    assert decision.look(7, {0: VALUES}, total + 5.0, SAMPLES) is None
    assert decision.look(3, {0: VALUES}, total - 5.0, SAMPLES) is None
    assert not ranges.worth_a_look(3)
    assert decision.look(3, {0: VALUES}, total + 5.0, SAMPLES) is None
    assert ranges.worth_a_look(2)
