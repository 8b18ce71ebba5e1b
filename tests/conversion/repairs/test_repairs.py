"""The contract: what is recorded, what is refused, and that everything is put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import nn

from lading.conversion import repairs as repair
from lading.conversion.repairs import Case, Identical, Scope, in_place_of, repaired, repairs
from lading.errors import CaptureError
from lading.interface import Interface, Options
from lading.record import Port, Task


def around(module: nn.Module, *shape: int) -> Interface:
    port = Port("x", "tensor", "float32", shape)
    return Interface(module.eval(), (port,), (), Options(), Task("module", (port,), ()))


class Toy:
    """A repair that does to the module what a test wants done."""

    name = "toy"
    reason = "a test wants it"
    fused = False

    def __init__(self, change: Any, fused: bool = False) -> None:
        self.change, self.fused = change, fused
        self.ended = False

    def scope(self, case: Case) -> Scope:
        return Scope(("here",)) if self.change else Scope(declined="nothing to do")

    @contextmanager
    def applied(self, module: nn.Module) -> Iterator[nn.Module]:
        try:
            yield self.change(module)
        finally:
            self.ended = True


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found: dict[str, Any] = {}
    monkeypatch.setattr(repair, "repairs", lambda: found)
    return found


class Plus(nn.Module):
    """The module's outputs and a little more."""

    def __init__(self, module: nn.Module, more: float) -> None:
        super().__init__()
        self.module, self.more = module, more

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.module(x) + self.more


def test_the_shelf_holds_what_keeps_the_contract() -> None:
    assert {"attention_fast_path", "plain_sizes"} <= set(repairs())
    for one in repairs().values():
        assert one.name
        assert one.reason
        assert isinstance(one.fused, bool)
        assert "Algebra." in (type(one).__doc__ or "")


def test_a_repair_that_declines_is_not_recorded(shelf: dict[str, Any]) -> None:
    shelf["toy"] = Toy(None)
    interface = around(nn.Linear(3, 2), 1, 3)
    with repaired(interface, "trace") as (mended, records):
        assert records == ()
        assert mended.module is interface.module


def test_a_copy_of_the_same_values_is_taken_and_recorded(shelf: dict[str, Any]) -> None:
    shelf["toy"] = Toy(lambda module: nn.Sequential(module))
    interface = around(nn.Linear(3, 2), 1, 3)
    with repaired(interface, "export") as (mended, records):
        assert isinstance(mended.module, nn.Sequential)
        assert not shelf["toy"].ended
    assert shelf["toy"].ended
    assert records[0].name == "toy"
    assert records[0].where == ("here",)
    assert records[0].reason == "a test wants it"
    assert records[0].proof == "every output byte equals the untouched network's, on 3 inputs"


@pytest.mark.parametrize("fused", [False, True])
def test_a_repair_that_changes_an_output_is_refused(shelf: dict[str, Any], fused: bool) -> None:
    shelf["toy"] = Toy(lambda module: Plus(module, 1e-6), fused)
    with (
        pytest.raises(CaptureError) as refused,
        repaired(around(nn.Linear(3, 2), 1, 3), "export"),
    ):
        pytest.fail("it was let through")
    assert refused.value.subject == "repair 'toy' in here"
    against = "the plain operations" if fused else "the untouched network"
    assert refused.value.found.endswith(f"roundings from {against}")
    assert refused.value.expected == "the outputs of the untouched network"
    assert shelf["toy"].ended


def test_the_sign_of_zero_is_a_byte_too(shelf: dict[str, Any]) -> None:
    class Zero(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 0.0

    class Positive(Zero):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.abs() * 0.0

    shelf["toy"] = Toy(lambda module: Positive())
    with pytest.raises(CaptureError), repaired(around(Zero(), 1, 8), "export"):
        pytest.fail("it was let through")


@pytest.mark.parametrize(
    "change",
    [
        lambda m: nn.Sequential(m, nn.Linear(2, 2, bias=False)),
        lambda m: nn.Sequential(m, nn.Flatten(0)),
        lambda m: Plus(m, float("nan")),
    ],
)
def test_other_values_shapes_and_nan_are_refused(shelf: dict[str, Any], change: Any) -> None:
    shelf["toy"] = Toy(change, fused=True)
    with pytest.raises(CaptureError), repaired(around(nn.Linear(3, 2), 1, 3), "export"):
        pytest.fail("it was let through")


def test_a_module_without_outputs_proves_nothing(shelf: dict[str, Any]) -> None:
    class Silent(nn.Module):
        def forward(self, x: torch.Tensor) -> None:
            return None

    shelf["toy"] = Toy(lambda module: module)
    with pytest.raises(CaptureError), repaired(around(Silent(), 1, 3), "export"):
        pytest.fail("it was let through")


def test_a_second_repair_is_proved_as_well(shelf: dict[str, Any]) -> None:
    shelf["first"] = Toy(lambda module: nn.Sequential(module))
    shelf["second"] = Toy(lambda module: Plus(module, 1.0))
    with (
        pytest.raises(CaptureError) as refused,
        repaired(around(nn.Linear(3, 2), 1, 3), "export"),
    ):
        pytest.fail("it was let through")
    assert "roundings" in refused.value.found
    assert shelf["first"].ended
    assert shelf["second"].ended


class Twice(Identical):
    """Answers ``x.contiguous()`` with what a test wants it to."""

    name, reason, idle = "twice", "a test wants it", "no such call"

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    @contextmanager
    def watched(self, noted: Any) -> Iterator[None]:
        real = torch.Tensor.contiguous

        def contiguous(x: torch.Tensor) -> torch.Tensor:
            answer: torch.Tensor = self.answer(x)
            noted(answer, lambda: real(x))
            return answer

        with in_place_of({"contiguous": contiguous}):
            yield


class Counted(nn.Module):
    """Two calls in a run, and how often it ran."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.runs += 1
        return (x.contiguous() * 2.0).contiguous()


def test_who_answers_as_torch_does_is_asked_call_by_call(shelf: dict[str, Any]) -> None:
    shelf["twice"], module = Twice(lambda x: x), Counted()
    with repaired(around(module, 1, 3), "export") as (_, records):
        assert torch.Tensor.contiguous is not torch._C.TensorBase.contiguous
    assert records[0].proof == (
        "what is left out returns its own tensor at every call, on 3 inputs"
    )
    assert module.runs == repair.PROOFS


@pytest.mark.parametrize("answer", [torch.clone, lambda x: x[:], lambda x: x + 0.0])
def test_an_equal_tensor_is_not_the_same(shelf: dict[str, Any], answer: Any) -> None:
    shelf["twice"] = Twice(answer)
    with pytest.raises(CaptureError) as refused, repaired(around(Counted(), 1, 3), "export"):
        pytest.fail("it was let through")
    assert refused.value.found == "another tensor than PyTorch returns"


def test_it_is_asked_at_every_input(shelf: dict[str, Any]) -> None:
    """Another tensor at the last of them alone."""
    module = Counted()
    shelf["twice"] = Twice(lambda x: x if module.runs < repair.PROOFS else x.clone())
    with pytest.raises(CaptureError), repaired(around(module, 1, 3), "export"):
        pytest.fail("it was let through")
    assert module.runs == repair.PROOFS


def test_what_comes_after_is_held_against_the_untouched_network(shelf: dict[str, Any]) -> None:
    shelf["twice"], shelf["toy"] = Twice(lambda x: x), Toy(lambda module: Plus(module, 1.0))
    with pytest.raises(CaptureError) as refused, repaired(around(Counted(), 1, 3), "export"):
        pytest.fail("it was let through")
    assert refused.value.subject == "repair 'toy' in here"


def test_a_call_that_an_earlier_repair_took_away_is_no_longer_heard(shelf: dict[str, Any]) -> None:
    class Plain(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2.0

    shelf["a toy"], shelf["twice"] = Toy(lambda module: Plain()), Twice(lambda x: x)
    with repaired(around(Counted(), 1, 3), "export") as (_, records):
        assert [one.name for one in records] == ["toy"]


def test_a_module_that_does_not_run_is_told_as_such(shelf: dict[str, Any]) -> None:
    shelf["toy"] = Toy(lambda module: module)
    with pytest.raises(CaptureError) as refused, repaired(around(nn.Linear(3, 2), 1, 4), "trace"):
        pytest.fail("it was let through")
    assert refused.value.subject == "Linear under repair"
    assert refused.value.found.startswith("RuntimeError: ")
    assert "mat1 and mat2 shapes" in refused.value.found


def test_an_error_while_capturing_passes_through_and_ends_the_repair(shelf: dict[str, Any]) -> None:
    shelf["toy"] = Toy(lambda module: module)
    with (
        pytest.raises(ZeroDivisionError),
        repaired(around(nn.Linear(3, 2), 1, 3), "trace"),
    ):
        raise ZeroDivisionError
    assert shelf["toy"].ended


def test_roundings_count_in_units_of_the_largest_output() -> None:
    eps = torch.finfo(torch.float32).eps
    reference = [torch.tensor([0.5, -4.0])]
    other = [torch.tensor([0.5 + 4 * eps, -4.0])]
    assert repair._roundings(other, reference) == pytest.approx(1.0)
    assert repair._roundings(reference, reference) == 0.0
    assert repair._roundings([torch.tensor([1])], [torch.tensor([2])]) == float("inf")
    assert repair._roundings([torch.tensor([float("nan")])], [torch.ones(1)]) == float("inf")
    assert repair._roundings([torch.ones(1)], [torch.ones(2)]) == float("inf")
    assert repair._roundings([], reference) == float("inf")
