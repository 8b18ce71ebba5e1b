"""Bills for tests of what is drawn from them: small, of full size, failed, and hostile.

Made of records alone, with something in every field.
"""

from __future__ import annotations

import base64
import math
import struct
import zlib
from dataclasses import replace
from typing import Any

from lading.formats import format_named
from lading.job.bill import packaged
from lading.record import (
    SCHEMA,
    ArtifactRecord,
    Bill,
    Candidate,
    CaptureRecord,
    CheckpointRecord,
    Claim,
    Comparison,
    Conflict,
    Constant,
    Finding,
    Hazard,
    HyperParameter,
    LedgerLine,
    LedgerSummary,
    Measurement,
    Picture,
    Port,
    ProbeRecord,
    Provenance,
    Reading,
    RepairRecord,
    Settling,
    Sign,
    Snippet,
    Station,
    Task,
    Unproved,
    Walk,
)
from lading.record.measurement import ReadingName

FEATURES = (32, 64, 128, 256, 512, 512, 512)
HOSTILE = (
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "' onmouseover='document.title=1' x='",
    "weight\u202egnp.exe\u2066",
    "\x1b[31mred\x07\x00",
    "</script><script>document.title='owned'</script>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:document.title=1",
    "w" * 5000,
    "\ud800",
)


def task(size: int = 256) -> Task:
    """Segmentation of one grey channel into three classes."""
    image = Port(
        "image", "tensor", "float32", (1, 1, size, size), multiples=(1, 1, 64, 64),
        meaning="normalised grey levels",
    )  # fmt: skip
    logits = Port("logits", "tensor", "float32", (1, 3, size, size), meaning="logits", class_axis=1)
    return Task(
        "segmentation", (image,), (logits,), ("background", "LeftVentricle", "Myocardium"),
        "softmax", normalisation="zscore", notes={"dataset": "CAMUS", "spacing": "1,1"},
    )  # fmt: skip


def png(colour: tuple[int, int, int] = (230, 159, 0), size: int = 8) -> str:
    """A picture of one colour, base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    rows = (b"\0" + bytes(colour) * size) * size
    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return base64.b64encode(data).decode()


def ledger() -> tuple[LedgerLine, ...]:
    """The 344 names of the full-size network, as nnU-Net v2 spells them."""
    lines: list[LedgerLine] = []

    def block(prefix: str, repeats: str, inputs: int, outputs: int) -> None:
        shapes = (
            ("conv.weight", (outputs, inputs, 3, 3)), ("conv.bias", (outputs,)),
            ("norm.weight", (outputs,)), ("norm.bias", (outputs,)),
        )  # fmt: skip
        for name, shape in shapes:
            first = f"{repeats or prefix}.{name}"
            fate: Any = "alias" if repeats else "loaded"
            reason = f"second name of {first}" if repeats else ""
            lines.append(LedgerLine(f"{prefix}.{name}", shape, "float32", fate, reason, "ab" * 32))
        for name, shape in shapes:
            place = name.replace("conv.", "all_modules.0.").replace("norm.", "all_modules.1.")
            first = f"{repeats or prefix}.{name}"
            lines.append(
                LedgerLine(f"{prefix}.{place}", shape, "float32", "alias",
                           f"second name of {first}", "ab" * 32)
            )  # fmt: skip

    for again in ("", "encoder."):
        before = 1
        for stage, width in enumerate(FEATURES):
            for conv in range(2):
                path = f"encoder.stages.{stage}.0.convs.{conv}"
                block(f"decoder.{path}" if again else path, path if again else "", before, width)
                before = width
    for stage, (below, width) in enumerate(zip(FEATURES[:0:-1], FEATURES[-2::-1], strict=True)):
        for conv in range(2):
            inputs = 2 * width if conv == 0 else width
            block(f"decoder.stages.{stage}.convs.{conv}", "", inputs, width)
        for kind, shapes in (
            ("transpconvs", ((below, width, 2, 2), (width,))),
            ("seg_layers", ((3, width, 1, 1), (3,))),
        ):
            unused = kind == "seg_layers" and stage < 5
            for name, shape in zip(("weight", "bias"), shapes, strict=True):
                lines.append(
                    LedgerLine(
                        f"decoder.{kind}.{stage}.{name}", shape, "float32",
                        "unused" if unused else "loaded",
                        "deep supervision: a head of the training loss" if unused else "",
                        "ab" * 32,
                    )
                )  # fmt: skip
    return tuple(lines)


def summary(lines: tuple[LedgerLine, ...]) -> LedgerSummary:
    """Its counts."""
    fates = [line.fate for line in lines]
    own = [line for line in lines if line.fate != "alias"]
    return LedgerSummary(
        len(lines), len(own), fates.count("loaded"), fates.count("alias"), fates.count("unused"), 0,
        sum(math.prod(line.shape) for line in own),
    )  # fmt: skip


def comparison(artifact: str, runtime: str, psnr: float, least: float) -> Comparison:
    """One that passes or fails as the ratio says."""
    passed = psnr >= least
    measurements = (
        Measurement("logits", "psnr", psnr, least, "rounding leaves more", "noise-0"),
        Measurement("logits", "relative_l2", 0.0042, None, "worst probe; psnr is gated",
                    "noise-0"),
        Measurement("logits", "label_agreement", 0.99931, 0.995, "positions within its error"),
        Measurement("logits", "dice", 0.9994, 0.5, "rounding moves borders only",
                    channel="Myocardium"),
        Measurement("logits", "psnr", 30.5, None, "the original itself misses", "zeros-5",
                    steady=False),
    )  # fmt: skip
    reason = "" if passed else f"logits psnr {psnr:g} misses its gate {least:g}"
    return Comparison(
        artifact, runtime, "torch", 6, measurements, (), "pass" if passed else "fail", reason
    )


def ratio(value: float, reading: ReadingName) -> Measurement:
    """A signal-to-noise ratio that only informs."""
    return Measurement("logits", "psnr", value, None, "", reading=reading)


def walk(artifact: str = "CAMUS.mlpackage") -> Walk:
    """The error grows along the network and jumps once; one value leaves fp16."""
    stations = []
    error = 2e-4
    names = [line.name.rsplit(".", 1)[0] for line in ledger() if ".all_modules" not in line.name]
    for index, module in enumerate(dict.fromkeys(n for n in names if "decoder.encoder" not in n)):
        error *= 9.0 if index == 30 else 1.03
        high = 80_000.0 if index == 41 else 3.0 * (1 + index % 7)
        stations.append(
            Station(f"v{index}", "conv" if module.endswith("conv") else "instance_norm", module,
                    f"network.py:{10 + index}", "module path", error, -0.5 * high, high,
                    12 if index == 41 else 0, index % 3)
        )  # fmt: skip
    return Walk(
        artifact, "mil", "declared", len(stations), 96, tuple(stations), "v30",
        "The error departs at encoder.stages: nine times the one before.",
    )  # fmt: skip


def settlings() -> tuple[Settling, ...]:
    """One question that the pictures answer, and one that they answer in part."""
    order = "use_new_attention_order"
    return (
        Settling(
            "attention",
            (
                Candidate({"num_heads": "4", order: "false"}, ("num_head_channels 16",),
                          0.03127, 0.0, 0.0, 0.0, 64, True),
                Candidate({"num_heads": "4", order: "true"}, (), 0.03409, 0.0902, 0.0411, 0.139,
                          64, False),
                Candidate({"num_heads": "1", order: ""}, (), 0.4, 11.79, 9.5, 14.08, 16, False),
            ),
            (0.9, 0.5, 0.1), 64, 0.999, {"num_heads": "4", order: "false"}, (),
            "the best is better than every other with confidence",
        ),
        Settling(
            "time",
            (
                Candidate({"noise_schedule": "linear", "diffusion_steps": "1000"}, (), 0.03127,
                          0.0, 0.0, 0.0, 64, True),
                Candidate({"noise_schedule": "linear", "diffusion_steps": "4000"}, (), 0.03128,
                          0.00032, -0.0012, 0.0018, 64, True),
            ),
            (0.9, 0.5, 0.1), 64, 0.999, {"noise_schedule": "linear"}, ("diffusion_steps",),
            "2 of 2 candidates cannot be distinguished",
        ),
    )  # fmt: skip


def full(**changes: Any) -> Bill:
    """The full-size network, passed, with something in every field."""
    one, lines = task(), ledger()
    artifacts = (
        ArtifactRecord("coreml", "CAMUS.mlpackage", 67_100_000, "ab" * 32, "fp16", one.inputs,
                       one.outputs, "export", {"minimum_deployment": "iOS16"}, title="Core ML"),
        ArtifactRecord("onnx", "CAMUS.onnx", 134_200_000, "cd" * 32, "fp32", one.inputs,
                       one.outputs, "export", {"opset": "18"}, title="ONNX"),
    )  # fmt: skip
    counts = summary(lines)
    made = Bill(
        schema=SCHEMA,
        lading="0.1.0",
        verdict="pass",
        checkpoint=CheckpointRecord("weights/checkpoint_best.pth", "ef" * 32, 267_000_000,
                                    "torch zip", ("unwrapped network_weights",)),
        family="nnunet",
        signs=(Sign("an encoder of stages", True, "encoder.stages.0"), Sign("a decoder", True)),
        hyperparameters=(
            HyperParameter("network_class", "PlainConvUNet", "embedded", "init_args.plans"),
            HyperParameter("features_per_stage", list(FEATURES), "tensors", "encoder.stages.*"),
            HyperParameter("kernel_sizes", [[3, 3]] * 7, "tensors", "encoder.stages.*.conv.weight"),
            HyperParameter("norm_eps", 1e-5, "assumed", "the usual value", ("1e-3",)),
        ),
        conflicts=(
            Conflict("n_stages", (Claim("tensors", 7, "encoder.stages"),
                                  Claim("embedded", 6, "init_args.plans")), "tensors"),
        ),
        task=one,
        ledger=lines,
        ledger_summary=counts,
        capture=CaptureRecord(
            "export", "torch.export took the module and the result is equal",
            (RepairRecord("attention fast path", ("decoder",), "a fused kernel cannot be traced",
                          "bit-equal to the untouched module on 3 inputs"),),
            ("onnx by export: no such op",),
        ),
        artifacts=artifacts,
        probes=tuple(ProbeRecord(f"{kind}-{i}", kind, f"Philox key {i}", "12" * 32)
                     for i, kind in enumerate(("noise", "noise", "shapes", "stripes"))),
        comparisons=(
            comparison("CAMUS.mlpackage", "mil", 57.3, 40.0),
            comparison("CAMUS.onnx", "onnxruntime", 92.4, 60.0),
            Comparison("CAMUS.mlpackage", "coreml", "torch", 0, (), (), "not run",
                       "Core ML exists on macOS only; this is Linux"),
        ),
        request={
            "command": "convert", "arguments": ["weights/checkpoint_best.pth"],
            "options": {"out": "out dir", "to": ["coreml", "onnx"], "set": ["n_stages=7"]},
        },
        notices=("UserWarning: an operator is experimental",),
        environment={"system": "Linux 6.1", "machine": "x86_64", "python": "3.11.2",
                     "torch": "2.13.0", "coremltools": "9.0", "numpy": "2.3.5",
                     "onnx": "not installed"},
        walks=(walk(),),
        provenance=(
            Provenance("CAMUS.mlpackage", "checkpoint_best.pth", "made from this checkpoint",
                       (Constant("stem_weight", (32, 1, 3, 3), "float16", "identical",
                                 ("encoder.stages.0.0.convs.0.conv.weight",), "after the cast"),
                        Constant("eps", (), "float16", "generated")), (), "all bytes agree"),
        ),
        readings=(
            Reading("CAMUS.mlpackage", "float32", (ratio(66.0, "float32"),)),
            Reading("CAMUS.mlpackage", "declared", (ratio(57.3, "declared"),), {"v41": 12},
                    {"v2": 3}, {"v41": 1.22}),
        ),
        hazards=(
            Hazard("square in fp16", "black pictures on devices", "iOS 16 to 18",
                   "https://github.com/apple/coremltools/issues/1", "convert with --precision fp32",
                   ("decoder.stages.0",)),
        ),
        pictures=(
            Picture("demo/input", "input", "An ultrasound frame of a heart.", png((90, 90, 90))),
            Picture("demo/torch", "PyTorch", "Label map: ventricle and myocardium.", png()),
            Picture("errors", "Probability errors", "A histogram.", png((20, 80, 200), 16)),
        ),
        settlings=settlings(),
    )  # fmt: skip
    return replace(with_snippets(made), **changes)


def with_snippets(bill: Bill) -> Bill:
    """The bill with the code that uses its artifacts."""
    many: list[Snippet] = []
    for one in bill.artifacts:
        shown = format_named(one.format).snippets(one, bill.task)
        many += [*shown, *packaged(one, bill.task, shown)]
    return replace(bill, snippets=tuple(many))


def short(one: Bill) -> Bill:
    """The same with a few names and a few stations: all kinds of rows, fewer of each."""
    ledger = (*one.ledger[:10], *one.ledger[-6:])
    walks = tuple(
        replace(walk, stations=(*walk.stations[28:32], *walk.stations[40:43]))
        for walk in one.walks
    )  # fmt: skip
    return replace(one, ledger=ledger, walks=walks)


def failed() -> Bill:
    """One artifact is a coin toss."""
    worse = replace(
        comparison("rejected/CAMUS.mlpackage", "mil", 12.5, 40.0),
        findings=(Finding("a coin toss", "mil logits", "all probabilities 0.32 to 0.35"),),
    )
    one = full()
    artifact = replace(one.artifacts[0], path="rejected/CAMUS.mlpackage")
    lost = replace(one, verdict="fail", artifacts=(artifact,), comparisons=(worse,))
    return with_snippets(lost)


def bare() -> Bill:
    """What was verified without anything that may be absent."""
    one = full()
    return replace(
        one, verdict="not run", capture=None, comparisons=(one.comparisons[2],), walks=(),
        provenance=(), readings=(), hazards=(), pictures=(), conflicts=(), notices=(), signs=(),
        settlings=(),
        request={"command": "verify", "arguments": ["CAMUS.mlpackage"],
                 "options": {"against": "checkpoint_best.pth"}},
        artifacts=one.artifacts[:1],
    )  # fmt: skip


def hostile() -> Bill:
    """Every text that a stranger chooses says something that a browser might obey."""
    one = full()
    lines = tuple(
        LedgerLine(f"enc.{text}.{text}", (1, 2), text, "loaded", text, "00") for text in HOSTILE
    )
    text = "".join(HOSTILE[:8])
    port = replace(one.task.inputs[0], name=text, meaning=text)
    out = replace(one.task.outputs[0], name=text)
    made = replace(one.artifacts[0], path=f"{HOSTILE[0]}.mlpackage", inputs=(port,),
                   outputs=(out,), details={text: text})  # fmt: skip
    compared = replace(one.comparisons[0], artifact=made.path, reason=text,
                       findings=(Finding(text, text, text),),
                       unproved=(Unproved("graph", text),))  # fmt: skip
    stations = tuple(
        replace(s, module=text, value=text, op=text) for s in one.walks[0].stations[:3]
    )
    spoilt = replace(
        one,
        verdict="fail",
        ledger=lines,
        ledger_summary=summary(lines),
        family=text,
        task=replace(one.task, labels=HOSTILE, inputs=(port,), outputs=(out,),
                     notes={text: text, "vocabulary": text}),
        artifacts=(made,),
        comparisons=(compared,),
        hyperparameters=(HyperParameter(text, text, "user", text, (text,)),),
        conflicts=(Conflict(text, (Claim("user", text, text),)),),
        checkpoint=replace(one.checkpoint, path=text, container=text, steps=(text,)),
        capture=CaptureRecord("trace", text, (RepairRecord(text, (text,), text, text),), (text,)),
        walks=(replace(one.walks[0], artifact=text, stations=stations, text=text),),
        hazards=(Hazard(text, text, text, "javascript:document.title=1", text, (text,)),),
        notices=(text,),
        settlings=(Settling(
            text, (Candidate({text: text}, (text,), 1.0, 0.0, 0.0, 0.0, 1, True),), (0.5,), 1, 0.9,
            {text: text}, (text,), text,
        ),),
        environment={text: text},
        probes=(ProbeRecord(text, text, text, text),),
        pictures=(Picture(f"{text}/a", text, text, png()), Picture("b", "b", "b", '" onerror="x')),
        request={"command": "convert", "arguments": [text],
                 "options": {"out": text, "to": [text], "set": [f"{text}={text}"]}},
    )  # fmt: skip
    return with_snippets(spoilt)
