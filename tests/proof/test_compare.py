"""Equal passes; whatever is wrong in between fails or was not run, and says why."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lading.errors import InputError, ProgramError
from lading.formats import Runtime
from lading.interface import Options
from lading.interface.side import Made
from lading.proof import noise
from lading.proof.channels import HALF, HIGHEST_REASON, Effort
from lading.proof.compare import every_runtime, in_runtime
from lading.proof.judge import NOTHING_GATED
from lading.proof.original import LEAST, Original
from lading.proof.probes import make
from lading.proof.reference import Reference, Scores
from lading.proof.verdict import GATES
from lading.record import Comparison, Port
from lading.record.wording import subject
from tests.standin import Change, Changed, Fake, Given
from tests.toys import LABELS, interface


def judged(
    change: Change = lambda outputs: None,
    options: Options | None = None,
    precision: str = "fp32",
    take: slice = slice(None),
    toy: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Comparison:
    one = interface(options, **(toy or {}))
    return held(Given(one, make(one)[take]), Fake(one, Changed(one, change), precision, **changes))


def held(reference: Reference, artifact: Fake) -> Comparison:
    """The artifact in its runtime beside a reference."""
    (comparison,) = every_runtime(reference, artifact, artifact.record, lambda *_: None)
    return comparison


def by_name(one: Comparison) -> dict[str, Any]:
    return {subject(each): each for each in one.measurements}


@pytest.mark.parametrize("output", ["logits", "probabilities", "labels"])
@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_equal_passes(output: Any, precision: str) -> None:
    one = judged(options=Options(output=output), precision=precision)
    assert (one.verdict, one.reason, one.findings) == ("pass", "", ())
    assert (one.artifact, one.runtime, one.reference, one.probes) == ("a.fake", "fake", "torch", 6)
    numbers = by_name(one)
    assert numbers[f"{output} label_agreement"].value == 1.0
    if output != "labels":
        assert numbers[f"{output} psnr"].value == math.inf
        assert numbers[f"{output} max_abs"].value == 0.0
    assert {name for name in numbers if "dice" in name} == {f"{output} dice {n}" for n in LABELS}
    assert all(each.why for each in one.measurements)


def test_rounding_to_half_precision_passes_its_own_gate() -> None:
    def half(outputs: dict[str, Any]) -> None:
        outputs["logits"] = outputs["logits"].astype(np.float16).astype(np.float32)

    one = judged(half, precision="fp16")
    assert one.verdict == "pass", one.reason
    assert 60 < by_name(one)["logits psnr"].value < 90  # 2^-11 is 66 dB


# --------------------------------------------------------------------------------- wrong in itself
def _drop(outputs: dict[str, Any]) -> None:
    del outputs["logits"]


def _extra(outputs: dict[str, Any]) -> None:
    outputs["more"] = np.zeros(1)


def _rename(outputs: dict[str, Any]) -> None:
    outputs["scores"] = outputs.pop("logits")


def _shape(outputs: dict[str, Any]) -> None:
    outputs["logits"] = outputs["logits"][:, :, :-1]


def _flat(outputs: dict[str, Any]) -> None:
    outputs["logits"] = outputs["logits"][0]


def _dtype(outputs: dict[str, Any]) -> None:
    outputs["logits"] = outputs["logits"].astype(np.float64)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_drop, "noise-0: output 'logits' is missing; there is nothing"),
        (_extra, "noise-0: unexpected outputs: more"),
        (_rename, "noise-0: output 'logits' is missing; there is scores"),
        (_shape, "noise-0: output 'logits' has shape [1, 3, 15, 16], not [1, 3, 16, 16]"),
        (_flat, "noise-0: output 'logits' has shape [3, 16, 16], not [1, 3, 16, 16]"),
        (_dtype, "noise-0: output 'logits' is float64, not float32"),
        (lambda outputs: {}, "noise-0: output 'logits' is missing; there is nothing"),
    ],
)
def test_outputs_that_are_not_the_ports(change: Change, reason: str) -> None:
    one = judged(change)
    assert (one.verdict, one.reason, one.measurements, one.probes) == ("fail", reason, (), 0)


@pytest.mark.parametrize("kind", [ProgramError, InputError])
def test_a_runtime_that_stops_fails(kind: Any) -> None:
    runs = []

    def stop(outputs: dict[str, Any]) -> None:
        runs.append(1)
        if len(runs) == 3:
            raise kind("op conv", found="NaN", expected="numbers", remedy="none")

    one = judged(stop)
    assert (one.verdict, one.probes) == ("fail", 2)
    assert one.reason.startswith("shapes-2: op conv\n  found     NaN")


def test_no_probe_is_not_run() -> None:
    one = judged(take=slice(0))
    assert (one.verdict, one.probes, one.measurements) == ("not run", 0, ())
    assert one.reason == "no probe fits the artifact's inputs"


def test_no_probe_that_fits_is_not_run() -> None:
    port = replace(interface().inputs[0], shape=(1, 1, 32, 32))
    one = judged(inputs=(port,))
    assert (one.verdict, one.reason) == ("not run", "no probe fits the artifact's inputs")


def test_an_artifact_without_outputs_never_passes() -> None:
    assert judged(lambda outputs: {}, outputs=()).verdict == "fail"
    one = judged(lambda outputs: {}, outputs=())
    assert one.reason.startswith("nothing was ")
    assert judged(outputs=()).reason == "noise-0: unexpected outputs: logits"


def test_outputs_for_other_probes_are_an_error() -> None:
    one = interface()
    reference = Given(one, make(one))
    reference.outputs = reference.outputs[:2]
    with pytest.raises((ValueError, IndexError)):
        held(reference, Fake(one, Changed(one)))


def test_not_run_says_why() -> None:
    one = interface()
    artifact = Fake(one, Changed(one))
    absent = Runtime("fake", "Fake", unavailable=lambda: "this is Linux")
    told = in_runtime(Given(one, make(one)), artifact, artifact.record, absent)
    assert (told.verdict, told.reason, told.probes) == ("not run", "this is Linux", 0)


# ---------------------------------------------------------------------------------- wrong in value
def test_a_small_error_fails_and_the_worst_probe_is_named() -> None:
    runs = []

    def bend(outputs: dict[str, Any]) -> None:
        runs.append(1)
        if len(runs) == 4:
            outputs["logits"] += 0.05 * np.abs(outputs["logits"]).max()

    one = judged(bend)
    assert one.verdict == "fail"
    psnr = by_name(one)["logits psnr"]
    assert psnr.value == pytest.approx(26.02, abs=0.01)  # 20·log10(1/0.05)
    assert psnr.probe == "stripes-3"
    assert "logits psnr 26.02 misses its gate 60 (worst probe stripes-3)" in one.reason
    assert by_name(one)["logits max_abs"].probe == "stripes-3"


@pytest.mark.parametrize("output", ["logits", "probabilities"])
@pytest.mark.parametrize("both", [False, True])
def test_nan_never_passes(output: Any, both: bool) -> None:
    def spoil(outputs: dict[str, Any]) -> None:
        outputs[output][0, 0, 0, 0] = np.nan

    one = interface(Options(output=output))
    side = Changed(one, spoil)
    told = held(Given(one, make(one), side if both else None), Fake(one, side))
    assert told.verdict == "fail"
    assert math.isnan(by_name(told)[f"{output} psnr"].value)
    assert "not finite" in {finding.name for finding in told.findings}
    assert {f.where for f in told.findings} >= {f"fake: {output}"}


@pytest.mark.parametrize("output", ["logits", "probabilities", "labels"])
@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_swapped_labels_fail(output: Any, precision: str) -> None:
    def swap(outputs: dict[str, Any]) -> None:
        values = outputs[output]
        if output == "labels":
            outputs[output] = np.array([0, 2, 1], np.int32)[values]
        else:
            outputs[output] = values[:, [0, 2, 1]]

    one = judged(swap, Options(output=output), precision)
    assert one.verdict == "fail"
    assert by_name(one)[f"{output} label_agreement"].value < 0.9


@pytest.mark.parametrize("noise", [0.0, 0.008])  # the second leaves 42 dB, above psnr's gate
def test_no_gate_gives_way_to_the_artifacts_own_error(noise: float) -> None:
    def blur(outputs: dict[str, Any]) -> None:
        values = outputs["logits"]
        spread = np.random.default_rng(3).standard_normal(values.shape)
        outputs["logits"] = (values + noise * np.abs(values).max() * spread).astype(np.float32)

    one = judged(blur, precision="fp16")
    numbers = by_name(one)
    assert numbers["logits label_agreement"].gate == GATES["fp16"].agreement
    assert numbers["logits psnr"].passed
    assert (one.verdict == "pass") == (noise == 0.0)


@pytest.mark.parametrize(
    ("moved", "gate"),
    [
        (0.0, GATES["fp16"].agreement),  # rounding moves nothing there
        (0.001, None),  # a few per cent tie
        (9.0, LEAST),  # everything ties: no map is called equal for it
    ],
)
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_ties_are_counted_on_the_original(
    activation: Any, moved: float, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    regions = {"region_order": (1, 2, 3)} if activation == "sigmoid" else {}
    toy = interface(activation=activation, **regions)
    original = Original(toy, make(toy))

    spread = np.random.default_rng(3)

    def twin(place: int) -> dict[str, Any]:
        size = moved / HALF
        return {
            name: value + size * np.abs(value).max() * spread.standard_normal(value.shape)
            for name, value in original.outputs[place].items()
        }

    monkeypatch.setattr(original, "twin", twin)
    places = range(len(original.drawn))
    found, _ = original.agreement(toy.outputs[0], places, "fp16")
    assert found == gate if gate is not None else LEAST < found < GATES["fp16"].agreement


def test_regions_are_compared_by_their_cut() -> None:
    toy = {"activation": "sigmoid", "region_order": (1, 2, 3), "labels": ("a", "b", "c", "d")}

    def lower(outputs: dict[str, Any]) -> None:
        outputs["logits"] -= np.abs(outputs["logits"]).max()

    assert judged(toy=toy).verdict == "pass"
    one = judged(lower, toy=toy)
    assert one.verdict == "fail"
    assert by_name(one)["logits label_agreement"].value < 0.9
    assert not any("dice" in name for name in by_name(one))


def test_agreement_on_something_degenerate_fails() -> None:
    one = interface()

    def lose(outputs: dict[str, Any]) -> None:
        outputs["logits"] *= 1e-3

    side = Changed(one, lose)
    told = held(Given(one, make(one), side), Fake(one, side))
    assert by_name(told)["logits psnr"].value == math.inf
    assert told.verdict == "fail"
    assert {(f.name, f.where) for f in told.findings} == {
        ("near-uniform", "reference: logits"),
        ("near-uniform", "fake: logits"),
    }


def test_a_constant_probe_is_not_held_against_the_network() -> None:
    one = interface(Options(bake=("zscore",), output="labels"))
    drawn = make(one)
    zeros = [probe for probe in drawn if not probe.varied]
    assert [probe.name for probe in zeros] == ["zeros-5"]

    def plain(outputs: dict[str, Any]) -> None:
        outputs["labels"][:] = 0

    side = Changed(one, plain)
    told = held(Given(one, zeros, side), Fake(one, side))
    assert told.findings == ()


def test_scores_that_agree_prove_no_labels() -> None:
    """Where the original's labels are steady at no probe, nobody looked at how they are chosen."""

    class Behind(Given):
        def scores(self, precision: str) -> Scores | str:
            values = [np.ones((1, 3, 16, 16), np.float32)] * len(self.drawn)
            port = Port("scores", "tensor", "float32", (1, 3, 16, 16), class_axis=1)
            return Scores(port, values, lambda place: True, lambda place: 60.0)

    class Shown(Changed):
        graph = (Made("s", "conv"), Made("labels", "argmax", reads=("s",)))

        def run(self, inputs: Mapping[str, Any], look_at: Collection[str] = ()) -> dict[str, Any]:
            inner = {"s": np.ones((1, 3, 16, 16), np.float32)} if look_at else {}
            return {**super().run(inputs), **inner}

    one = interface(Options(output="labels"))
    reference = Behind(one, make(one))
    artifact = Fake(one, Shown(one))
    assert held(reference, artifact).verdict == "pass"
    reference.calm = [False] * len(reference.calm)
    found = held(reference, artifact)
    assert by_name(found)["labels scores psnr"].gate == 60.0
    assert (found.verdict, found.reason) == ("fail", NOTHING_GATED)


# ------------------------------------------------------- what the original keeps, where it counts
def test_nothing_is_measured_of_an_original_that_is_met_everywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = interface()
    original, ran = Original(one, make(one)), list[int]()
    steady = original.steady
    monkeypatch.setattr(original, "twin", lambda place: pytest.fail("a twin was run"))
    monkeypatch.setattr(original, "_half", lambda place: pytest.fail("it was run halved"))
    monkeypatch.setattr(
        original,
        "steady",
        lambda place, precision, **how: ran.append(place) or steady(place, precision, **how),
    )
    found = held(original, Fake(one, Changed(one)))
    assert found.verdict == "pass"
    assert len(ran) == 1  # one must be known to be steady
    gated = [number.why for number in found.measurements if number.kind in ("psnr", "snr")]
    assert gated == [noise.HIGHEST_REASON, HIGHEST_REASON]


def test_who_agrees_with_an_original_that_is_steady_nowhere_has_nothing_gated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = interface()
    original = Original(one, make(one))
    monkeypatch.setattr(original, "steady", lambda place, precision, **how: False)
    found = held(original, Fake(one, Changed(one)))
    assert (found.verdict, found.reason) == ("fail", NOTHING_GATED)


def test_where_a_few_probes_tell_too_little_all_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a few probes nothing moves; of all of them as much as the artifact is off."""
    one = interface()
    original, asked = Original(one, make(one)), list[str]()
    measured = original.channels

    def known(port: Port, places: Any, precision: str, effort: Effort = "sample") -> Any:
        asked.append(effort)
        loud = effort == "all"
        found = measured(port, places, precision, effort)
        return [replace(c, noise=np.full_like(c.noise, 1e-2 * loud)) for c in found]

    def off(outputs: dict[str, Any]) -> None:
        outputs["logits"] *= np.float32(1 + 1e-4)

    monkeypatch.setattr(original, "channels", known)
    found = held(original, Fake(one, Changed(one, off)))
    (number,) = [number for number in found.measurements if number.kind == "snr"]
    assert number.passed
    assert asked == ["least", "sample", "all"]
    assert "one probe" not in number.why


def test_one_probe_is_enough_where_the_others_can_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Far above the gate; and where it is not far, the sample is measured."""
    one = interface()

    def asked(noise: float) -> list[str]:
        original, efforts = Original(one, make(one)), list[str]()
        measured = original.channels

        def known(port: Port, places: Any, precision: str, effort: Effort = "sample") -> Any:
            efforts.append(effort)
            found = measured(port, places, precision, effort)
            return [replace(c, noise=np.full_like(c.noise, noise)) for c in found]

        def off(outputs: dict[str, Any]) -> None:
            outputs["logits"] *= np.float32(1 + 1e-4)

        monkeypatch.setattr(original, "channels", known)
        found = held(original, Fake(one, Changed(one, off)))
        (number,) = [number for number in found.measurements if number.kind == "snr"]
        assert ("one probe" in number.why) == (efforts == ["least"])
        return efforts

    (worst,) = {len(asked(noise)) for noise in (1e-2, 1e-1)}
    assert worst == 1
    near = [
        efforts for noise in np.geomspace(1e-5, 1e-3, 21) if "all" not in (efforts := asked(noise))
    ]
    assert ["least", "sample"] in near
