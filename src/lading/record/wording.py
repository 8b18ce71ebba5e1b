"""How records are said to people: one wording for the terminal, the page and the differences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePath

from lading.record import (
    Candidate,
    CheckpointRecord,
    Comparison,
    Measurement,
    Mention,
    Port,
    Provenance,
    Refusal,
    Settling,
    State,
    Trajectory,
    Unproved,
    Verdict,
)
from lading.record.measurement import KINDS

#: How a graph is taken, for people.
ROUTES = {
    "export": "torch.export",
    "decomposed": "torch.export in core ATen's operations",
    "trace": "torch.jit.trace",
}
#: What people call the runtimes, by name.
RUNTIMES = {
    "coreml": "Core ML",
    "mil": "lading.coreml.mil",
    "neuralnetwork": "lading.coreml.neuralnetwork",
    "neuralnetwork_fp16": "lading.coreml.neuralnetwork in fp16",
    "onnxruntime": "ONNX Runtime",
    "torch": "PyTorch",
}


#: Characters of a stranger's name, and how many such names are spelt out.
LONGEST_NAME, MENTIONED = 120, 20

_UNPROVED = {
    "scores": "only labels were compared, not the scores behind them",
    "graph": "the graph alone, without its rounding, could not be judged",
    "channels": "what varies by less than the original's own arithmetic resolves is not proved",
    "claims": "the file takes more than was compared",
    "frozen": "one side of a branch is not in the file, as was accepted",
    "decisions": "whether the network decides by values is not known",
}


def ran_in(one: Comparison) -> str:
    """Where a comparison ran.

    >>> device = "iPhone 15, iOS 18.1, cpuOnly"
    >>> ran_in(Comparison("a", "coreml", "golden vectors", 4, (), (), "pass", device=device))
    'Core ML on iPhone 15, iOS 18.1, cpuOnly'
    """
    title = RUNTIMES.get(one.runtime, one.runtime)
    return f"{title} on {one.device}" if one.device else title


def number(kind: str, value: float) -> str:
    """A value of one of `lading.record.measurement.KINDS` with its unit.

    >>> number("psnr", 71.234), number("label_agreement", 0.9991)
    ('71.2 dB', '99.910 %')
    """
    return KINDS[kind].show(value)


def subject(one: Measurement) -> str:
    """What was measured.

    >>> subject(Measurement("y", "psnr", 1.0, 2.0, "why", reading="graph", of="scores"))
    'y graph scores psnr'
    >>> subject(Measurement("y", "psnr", 1.0, None, "why", "zeros-5", steady=False))
    'y psnr (unsteady)'
    """
    reading = "" if one.reading == "declared" else one.reading
    of = "" if one.of == "output" else one.of
    words = (one.output, reading, of, one.kind, one.channel, "" if one.steady else "(unsteady)")
    return " ".join(filter(None, words))


def gate(one: Measurement) -> str:
    """The gate of a measurement with its direction, or nothing.

    >>> gate(Measurement("logits", "psnr", 71.2, 40.0, "why"))
    '≥ 40.0 dB'
    """
    if one.gate is None:
        return ""
    sign = "≥" if one.better == "higher" else "≤"
    text = f"{sign} {number(one.kind, one.gate)}"
    return f"{text}, own; measured {_measured_gate(one)}" if one.own else text


def _measured_gate(one: Measurement) -> str:
    return "none" if one.measured_gate is None else number(one.kind, one.measured_gate)


def loosened(comparisons: Sequence[Comparison]) -> list[str]:
    """What passes by the user's own gate and misses the measured one, in words.

    >>> one = Measurement("y", "psnr", 35.0, 30.0, "why", own=True, measured_gate=40.0)
    >>> loosened([Comparison("a.onnx", "onnxruntime", "torch", 6, (one,), (), "pass")])
    ['y psnr 35.0 dB misses the measured gate 40.0 dB']
    """
    return [
        f"{subject(one)} {number(one.kind, one.value)} misses the measured gate "
        + _measured_gate(one)
        for compared in comparisons
        for one in compared.measurements
        if one.own
        and one.passed
        and one.measured_gate is not None
        and not replace(one, gate=one.measured_gate).passed
    ]


def missed(one: Measurement) -> str:
    """Why a measurement did not pass.

    >>> missed(Measurement("logits", "psnr", 12.5, 40.0, "why", "noise-0"))
    'logits psnr 12.5 misses its gate 40 (worst probe noise-0)'
    """
    if one.gate is None:
        return f"{subject(one)} is NaN"
    where = f" (worst probe {one.probe})" if one.probe else ""
    return f"{subject(one)} {one.value:.4g} misses its gate {one.gate:g}{where}"


def unproved(one: Unproved) -> str:
    """What was left open, and why.

    >>> unproved(Unproved("scores", "the network itself gives labels"))
    'only labels were compared, not the scores behind them: the network itself gives labels'
    """
    return f"{_UNPROVED[one.what]}: {one.why}"


def covered(one: Comparison) -> str:
    """What of the inputs a comparison speaks of, in a line; empty where it does not say.

    >>> from lading.record import Covered
    >>> ids, x = Covered("ids", 0, 49, 50, 50), Covered("x", -4.2, 8.0)
    >>> far = Covered("x", -3900.0, 3900.0, reading="graph")
    >>> covered(Comparison("a", "b", "c", 1, (), (), "pass", covered=(ids, x, far)))
    'ids 0 to 49, all 50 of them; x -4.2 to 8; its graph also x -3.9e+03 to 3.9e+03'
    """
    texts = []
    for each in one.covered:
        text = f"{each.input} {each.low:.3g} to {each.high:.3g}"
        if each.values:
            whole = each.of and each.values == each.of
            known = f" of {each.of:,}" if each.of else " different ones"
            text = f"{each.input} {each.low:.0f} to {each.high:.0f}"
            text += f", all {each.of:,} of them" if whole else f", {each.values:,}{known}"
        texts.append(f"its graph also {text}" if each.reading == "graph" else text)
    return "; ".join(texts)


def left_open(comparisons: Sequence[Comparison]) -> list[str]:
    """What comparisons left open; one that measured it speaks for the other runtimes of its
    artifact."""
    seen = {(c.artifact, what) for c in comparisons for m in c.measurements
            for what in (m.of, m.reading)}  # fmt: skip
    lines = {
        f"{c.artifact} in {c.runtime}: {unproved(left)}"
        for c in comparisons
        for left in c.unproved
        if (c.artifact, left.what) not in seen
    }
    return sorted(lines)


def mention(one: Mention) -> str:
    """A name in a pickle and its place.

    >>> mention(Mention("requests.api.get", True, "m.pth, entry m/data.pkl", 57, 2))
    'requests.api.get (called 2 times, byte 57 of entry m/data.pkl)'
    """
    name = one.name if len(one.name) <= LONGEST_NAME else one.name[:LONGEST_NAME] + "…"
    times = f" {one.times:,} times" if one.times > 1 else ""
    what = "called" if one.called else "named"
    return f"{name} ({what}{times}, byte {one.byte:,} of {one.where.rpartition(', ')[2]})"


def mentioned(record: CheckpointRecord) -> tuple[str, ...]:
    """What the file's pickles name and lading does not know, a sentence each."""
    said = [
        f"names {mention(one)}: lading does not know it and did not run it"
        for one in record.mentions[:MENTIONED]
    ]
    more = len(record.mentions) - MENTIONED
    return (*said, f"and {more:,} other names; --json lists all") if more > 0 else tuple(said)


def megabytes(count: int) -> str:
    """A size for people.

    >>> megabytes(67_100_000), megabytes(12_300), megabytes(36)
    ('67.1 MB', '12.3 kB', '36 B')
    """
    if count < 1000:
        return f"{count} B"
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def milliseconds(seconds: float) -> str:
    """A time of a call for people, three digits that say something.

    >>> milliseconds(0.0123456), milliseconds(2.5), milliseconds(0.0000123)
    ('12.3 ms', '2500 ms', '0.0123 ms')
    """
    value = 1e3 * seconds
    if not 0 < value < math.inf:
        return f"{value:g} ms"
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f} ms"


def rate(number: float) -> str:
    """How often in a second.

    >>> rate(25_354.1), rate(17.26), rate(0.51234)
    ('25,354', '17.3', '0.512')
    """
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def count(number: float) -> str:
    """A large number for people, in three digits.

    >>> count(1_234_567), count(2.5e9), count(589_824), count(999)
    ('1.23 M', '2.50 G', '590 k', '999')
    """
    for limit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            value = number / limit
            return f"{value:.{2 - min(2, int(math.log10(value)))}f} {letter}"
    return f"{number:.0f}"


def shape(sizes: tuple[int, ...]) -> str:
    """Sizes for people; an open axis is ``any``.

    >>> shape((1, 3, -1)), shape(())
    ('1×3×any', 'scalar')
    """
    return "×".join("any" if size < 0 else str(size) for size in sizes) or "scalar"


def other_sizes(one: Port) -> str:
    """What it takes besides its own shape, in words; empty where that is nothing.

    >>> from lading.record import Port
    >>> other_sizes(Port("x", "tensor", "float32", (1, -1), multiples=(1, 32)))
    'other sizes too, multiples of 32'
    >>> other_sizes(Port("x", "tensor", "float32", (1, 8), enumerated=((1, 8), (1, 16))))
    '2 sizes'
    """
    if one.enumerated:
        text = f"{len(one.enumerated)} sizes"
    elif one.ranges or -1 in one.shape:
        text = "other sizes too"
    else:
        return ""
    steps = [step for step in one.multiples if step > 1]
    return f"{text}, multiples of {'×'.join(map(str, steps))}" if steps else text


def port(one: Port) -> str:
    """An input or output in a few words: ``image float32 1×1×256×256``."""
    kind = f"{one.color} image" if one.kind == "image" else one.dtype
    more = f" ({other_sizes(one)})" if other_sizes(one) else ""
    return f"{one.name} {kind} {shape(one.shape) if one.shaped else 'of a shape not stated'}{more}"


def kept(state: State) -> str:
    """What is remembered between calls in a few words.

    >>> from lading.record import Port, State
    >>> kept(State(Port("h", "tensor", "float32", (1, 8)), begins="values", held="halves"))
    "h float32 1×8, begins with the checkpoint's values, each as two float16"
    """
    begins = "zeros" if state.begins == "zeros" else "the checkpoint's values"
    held = {"plain": "", "halves": ", each as two float16", "digits": ", each as three float16"}
    return f"{port(state.port)}, begins with {begins}{held[state.held]}"


def where(artifact: str, runtime: str) -> str:
    """An artifact and what ran it.

    >>> where("out/CAMUS.onnx", "onnxruntime")
    'CAMUS.onnx in ONNX Runtime'
    """
    return f"{PurePath(artifact).name} in {RUNTIMES.get(runtime, runtime)}"


def share(value: float) -> str:
    """A part of a whole in per cent, with the digits that its size needs.

    >>> share(0.1234), share(0.999), share(0.00012), share(12.5)
    ('12.3 %', '99.9 %', '0.012 %', '1250 %')
    """
    if not math.isfinite(value):
        return f"{value:g}"
    digits = 1 if 0.01 <= abs(value) < 10 else 3 if 0 < abs(value) < 0.01 else 0
    text = f"{100 * value:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def above(record: Settling, one: Candidate) -> tuple[str, str]:
    """How far a candidate's error lies above the best one's, and the interval of that."""
    if one is record.candidates[0]:
        return "the best", ""
    return share(one.difference), f"{share(one.low)} to {share(one.high)}"


def outcome(record: Settling, one: Candidate) -> str:
    """What became of a candidate: ``measured``, ``undecided`` or ``worse``."""
    if not one.plausible:
        return "worse"
    return "undecided" if record.undecided else "measured"


def settled(record: Settling) -> tuple[str, ...]:
    """The outcome of a settling in sentences: what is measured, what stays open, and why."""
    sentences = []
    if record.settled:
        sure = ", ".join(f"{name} {value or 'none'}" for name, value in record.settled.items())
        sentences.append(f"measured: {sure}")
    if record.undecided:
        sentences.append(f"undecided, so assumed still: {', '.join(record.undecided)}")
    return (*sentences, record.outcome)


def worst(comparisons: Sequence[Comparison]) -> tuple[Comparison, Measurement] | None:
    """What was measured nearest to its gate, or farthest beyond it, and the comparison it is in."""
    gated = [(one, measured) for one in comparisons for measured in one.gated]
    return min(gated, key=lambda pair: pair[1].distance, default=None)


def listed(names: Iterable[str]) -> str:
    """Names in a sentence, each once.

    >>> listed(["a", "b", "c", "a"]), listed(["a"]), listed([])
    ('a, b and c', 'a', '')
    """
    *most, last = dict.fromkeys(names) or [""]
    return f"{', '.join(most)} and {last}" if most else last


def summary(
    verdict: Verdict,
    comparisons: Sequence[Comparison],
    sources: Sequence[Provenance] = (),
    trajectories: Sequence[Trajectory] = (),
    refused: Sequence[Refusal] = (),
) -> str:
    """What a verdict says: what was measured; what missed; or what was not compared, and why.

    Args:
        verdict: on all of these together.
        comparisons: of every artifact in every runtime.
        sources: where the artifacts' constants come from.
        trajectories: of a diffusion network.
        refused: formats that no route could write.

    >>> near = Measurement("logits", "psnr", 66.44, 40.0, "why")
    >>> summary("pass", [Comparison("a.onnx", "onnxruntime", "torch", 14, (near,), (), "pass")])
    'a.onnx gives what the original gives on 14 probes (worst 66.4 dB, gate 40)'
    """
    reference = PurePath(next((compared.reference for compared in comparisons), ""))
    original = reference.name if reference.suffix else "the original"
    found = [compared for compared in comparisons if compared.verdict == verdict]
    strange = [source for source in sources if source.refuted]
    lost = [walk for walk in trajectories if walk.verdict == "fail"]
    if verdict == "not run":
        proved = {compared.artifact for compared in comparisons if compared.verdict == "pass"}
        found = [compared for compared in found if compared.artifact not in proved]
    who, several = _files(found or strange or lost)
    if verdict == "pass" and found:
        who = f"{'both' if several == 2 else f'all {several}'} files" if several else who
        gives = f"{who} {'give' if several else 'gives'} what {original} gives on {_extent(found)}"
        loose = loosened(found)
        return f"{gives}, by your own gates alone: {loose[0]}" if loose else gives
    if verdict == "not run" and found:
        partly = "fully " if any(compared.measurements for compared in found) else ""
        was = f"{'were' if several else 'was'} not {partly}compared with {original}"
        return f"{who} {was}: {found[0].reason}"
    nearest = worst(found)
    if nearest and not nearest[1].passed:
        why = f"give what {original} gives: {subject(nearest[1])} {_beside(nearest[1])}"
    elif found:
        why = f"give what {original} gives: {found[0].reason}"
    elif strange:
        why = f"hold the checkpoint's weights: {strange[0].finding}"
    elif lost:
        why = f"lead where {original} leads: {lost[0].reason}"
    elif refused:
        titles = " and ".join(one.title for one in refused)
        told = f"{titles} could not be written: {refused[0].reasons[0]}"
        passed = [one for one in comparisons if one.verdict == "pass"]
        return f"{told}; {summary('pass', passed)}" if passed else told
    else:
        return "nothing was compared"
    return f"{who} {'do' if several else 'does'} not {why}"


def _files(records: Sequence[Comparison | Provenance | Trajectory]) -> tuple[str, int]:
    """The names of the files, and how many where there are several, else 0."""
    names = dict.fromkeys(PurePath(record.artifact).name for record in records)
    return listed(names), len(names) if len(names) > 1 else 0


def _beside(measured: Measurement) -> str:
    """``66.4 dB, gate 40``"""
    assert measured.gate is not None
    percent = KINDS[measured.kind].unit == "%"
    gate = f"{100 * measured.gate:.4g} %" if percent else f"{measured.gate:.4g}"
    whose = "own gate" if measured.own else "gate"
    return f"{number(measured.kind, measured.value)}, {whose} {gate}"


def _extent(passed: Sequence[Comparison]) -> str:
    """On how much it was measured, and the worst number of the kind that says most.

    `KINDS` begins with those that say most.
    """
    probes = [compared.probes for compared in passed if not compared.data] or [0]
    counts = " to ".join(str(count) for count in sorted({min(probes), max(probes)}))
    tables = [f"{table.probes:,} samples of {table.data}" for table in passed if table.data]
    extent = listed([f"{counts} probe{'s' * (counts != '1')}", *tables])
    gated = [measured for compared in passed for measured in compared.gated]
    sign, order = {"higher": 1.0, "lower": -1.0}, list(KINDS)
    lowest = min(gated, key=lambda m: (order.index(m.kind), sign[m.better] * m.value), default=None)
    if lowest is None:
        return extent
    return f"{extent} ({'all' if lowest.value == math.inf else 'worst'} {_beside(lowest)})"
