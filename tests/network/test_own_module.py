"""A network of the user's own: text and code read, ledger, a stranger's network end to end."""

from __future__ import annotations

import json
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import lading
from lading import cli
from lading.conversion.capture import capture
from lading.conversion.repairs import repaired
from lading.errors import LadingError, LedgerError, RequestError
from lading.interface import Options, wrap
from lading.network.inputs import all_taken, taken
from lading.network.own_module import from_python, from_text, own
from lading.network.source import Source, load
from lading.record import Route
from tests import strangers

STRANGER = ("x:float32[1,3,16,16]@-1..1", "timesteps:int32[1]@0..999")


def code(folder: Path, text: str) -> Path:
    path = folder / "net.py"
    path.write_text(textwrap.dedent(text))
    return path


def refused(work: Callable[[], Any]) -> LadingError:
    with pytest.raises(LadingError) as caught:
        work()
    return caught.value


# ------------------------------------------------------------------------------------------- text
@pytest.mark.parametrize(
    "text",
    [
        "x:float32[1,3,64,64]",
        "t:int32[1]@0..999",
        "z:float32[1]@-1.5..1",
        "n:float16[7]",
        "t:int64[]@0..9",
        "keep:bool[1,8]",
        "batch.pair.0:float32[2,3]",
    ],
)
def test_an_input_is_spelled_as_it_was_read(text: str) -> None:
    assert str(taken(text)) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x", "'x'"),
        ("x:float32", "'x:float32'"),
        ("x:float64[1]", "dtype float64"),
        ("x:int64[1]@0..3000000000", "whole numbers beyond 32 bits, which Core ML has not"),
        ("t:int32[1]", "whole numbers without their range"),
        ("t:int32[1]@9..0", "a range from 9 to 0"),
    ],
)
def test_an_input_that_is_none(text: str, found: str) -> None:
    error = refused(lambda: taken(text))
    assert error.subject == f"--input {text}"
    assert error.found == found
    assert error.remedy.startswith("write e.g. x:float32[1,3,256,256], timesteps:int32[1]@0..999")


def test_two_inputs_of_one_name(tmp_path: Path) -> None:
    file = code(tmp_path, "def make(): ...")
    error = refused(lambda: from_text(f"{file}:make", ["x:float32[1]", "x:float32[2]"], {}))
    assert (error.subject, error.found) == ("--input x", "2 inputs of that name")


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("net.py:make", "no such file"),
        ("net.py", "'net.py'"),
        ("no_such_net:make", "no module no_such_net that can be imported from here"),
    ],
)
def test_a_model_that_is_none(model: str, found: str) -> None:
    error = refused(lambda: from_text(model, ["x:float32[1]"], {}))
    assert error.subject == f"--model {model}"
    assert error.found == found
    assert "--model net.py:make_network" in error.remedy


def test_a_model_without_inputs(tmp_path: Path) -> None:
    file = code(tmp_path, "def make(): ...")
    error = refused(lambda: own(f"{file}:make", []))
    assert (error.found, error.remedy) == ("no --input", "add e.g. --input x:float32[1,3,256,256]")


# ------------------------------------------------------------------------------------------- code
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def make():\n    return 3", "a int"),
        ("def make():\n    return 1 / 0", "ZeroDivisionError: division by zero"),
        ("def other(): ...", "nothing callable of that name; there is other"),
        (
            "import nowhere_to_be_found",
            "ModuleNotFoundError: No module named 'nowhere_to_be_found'",
        ),
    ],
)
def test_code_that_makes_no_network(text: str, found: str, tmp_path: Path) -> None:
    file = code(tmp_path, text)
    error = refused(from_text(f"{file}:make", ["x:float32[1]"], {}).build)
    assert error.subject == "--model net.py:make"
    assert error.found.startswith(found)


def test_code_imports_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside_it.py").write_text("import torch\nLayer = torch.nn.ReLU\n")
    file = code(tmp_path, "from beside_it import Layer\nnetwork = Layer()\n")
    made = from_text(f"{file}:network", ["x:float32[1,4]"], {})
    assert isinstance(made.build()[0], nn.ReLU)
    assert made.recognition()["code"] == "net.py:network"


# ---------------------------------------------------------------------------------------- outputs
class Says(nn.Module):
    def __init__(self, what: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.what = what

    def forward(self, x: torch.Tensor) -> Any:
        return self.what(x)


@pytest.mark.parametrize(
    ("what", "names"),
    [
        (lambda x: x, ["output"]),
        (lambda x: [x], ["output"]),
        (lambda x: (x, x + 1), ["output_0", "output_1"]),
        (lambda x: {"mean": x, "deviation": x.exp()}, ["mean", "deviation"]),
        (lambda x: {"x": x + 1}, ["x_out"]),
        (lambda x: {"my output": [x, (x, None)]}, ["my_output_0", "my_output_1_0"]),
        (lambda x: (x > 0, x.argmax(), x.double().sum(), 3), ["output_0", "output_1", "output_2"]),
    ],
)
def test_outputs_have_names(what: Callable[[torch.Tensor], Any], names: list[str]) -> None:
    made = from_python(Says(what), ["x:float32[2,3]"])
    task, flat = made.task(made.build()[0])
    assert [one.name for one in task.outputs] == names
    given = flat(torch.rand(2, 3))
    values = given if isinstance(given, tuple) else (given,)
    for port, value in zip(task.outputs, values, strict=True):
        assert (str(value.dtype), tuple(value.shape)) == (f"torch.{port.dtype}", port.shape)


@pytest.mark.parametrize(
    ("what", "found"),
    [
        (lambda x: None, "nothing"),
        (lambda x: {"a": 3}, "a (a int)"),
        (lambda x: x.to(torch.complex64), "output (torch.complex64)"),
        (lambda x: x[:0], "output (an empty tensor)"),
    ],
)
def test_outputs_that_no_artifact_has(what: Callable[[torch.Tensor], Any], found: str) -> None:
    made = from_python(Says(what), ["x:float32[2,3]"])
    assert refused(lambda: made.task(made.build()[0])).found == found


def test_what_is_left_out_of_an_answer_is_said() -> None:
    made = from_python(Says(lambda x: (x, 3, {"cache": object()})), ["x:float32[2,3]"])
    task, _ = made.task(made.build()[0])
    assert task.notes["left out"] == "of what it gives: 1 (a int), 2.cache (a object)"


def test_inputs_on_which_it_does_not_run() -> None:
    made = from_python(nn.Linear(4, 2), ["x:float32[1,3]"])
    error = refused(lambda: made.task(made.build()[0]))
    assert error.subject == "--input x:float32[1,3]"
    assert error.found.startswith("RuntimeError: mat1 and mat2 shapes cannot be multiplied")


def test_an_example_gives_the_ports() -> None:
    ids, half = torch.tensor([[3, 9]]), np.ones(1, np.float16)
    inputs = {"ids": ids, "x": torch.ones(1, 2), "pair": (half, [True]), "n": 2, "none": None}
    assert [str(one) for one in all_taken(inputs, ())] == [
        "ids:int64[1,2]@3..9", "x:float32[1,2]", "pair.0:float16[1]", "pair.1.0:bool[]",
        "n:int64[]@2..2",
    ]  # fmt: skip
    assert [str(one) for one in all_taken((ids, 0.5), ("a",))] == [
        "a:int64[1,2]@3..9", "input_1:float32[]",
    ]  # fmt: skip
    error = refused(lambda: all_taken({"x": object()}, ()))
    assert (error.subject, error.found) == ("--input x", "a object")


# ----------------------------------------------------------------------------------------- ledger
@pytest.fixture
def linear(tmp_path: Path) -> Path:
    path = tmp_path / "linear.pt"
    torch.save({"weight": torch.ones(2, 4), "bias": torch.zeros(2), "extra": torch.ones(1)}, path)
    return path


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: nn.Linear(4, 2), "1 of 3 tensors without an owner: extra"),
        (lambda: nn.Sequential(nn.Linear(4, 2)), "1 of 3 tensors without an owner: extra"),
        (lambda: nn.Bilinear(4, 2, 2), "weight is 2x4, its place 2x4x2"),
        (lambda: nn.Linear(5, 2), "weight is 2x4, its place 2x5"),
        (lambda: nn.Linear(4, 2).half(), "weight is float32, its place float16"),
    ],
)
def test_the_ledger_names_what_does_not_fit(make: Any, told: str, linear: Path) -> None:
    made = from_python(make, ["x:float32[1,4]"])
    error = refused(lambda: load(Source(linear, code=made)))
    assert isinstance(error, LedgerError)
    assert told in error.found


def test_a_half_torso_is_to_be_made_in_full(tmp_path: Path) -> None:
    path = tmp_path / "linear.pt"
    torch.save({"weight": torch.ones(2, 4), "bias": torch.zeros(2)}, path)
    made = from_python(lambda: nn.Linear(4, 2).half(), ["x:float32[1,4]"])
    assert refused(lambda: load(Source(path, code=made))).remedy == (
        "make the network in float32, without half() or a switch for a half torso"
    )


def test_nothing_is_set_that_only_a_family_knows(linear: Path) -> None:
    made = from_python(lambda: nn.Linear(4, 2), ["x:float32[1,4]"])
    told = f"with --model {made.origin}"
    for said, subject in (
        ({"given": {"heads": "4"}}, f"--set heads=4 {told}"),
        ({"config": Path("c.yml"), "settle": (linear,)}, f"--config c.yml --settle-with {told}"),
    ):
        error = refused(lambda said=said: load(Source(linear, code=made, **said)))  # type: ignore[misc]
        assert isinstance(error, RequestError)
        assert error.subject == subject


# -------------------------------------------------------------------------------------- a stranger
@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "stranger.pt"
    torch.save(strangers.net(seed=3).state_dict(), path)
    return path


@pytest.mark.parametrize("route", ["export", "trace"])
def test_it_is_captured_without_a_warning(route: Route) -> None:
    made = from_python(strangers.net, STRANGER)
    task, flat = made.task(made.build()[0])
    interface = wrap(flat, task, Options())
    with warnings.catch_warnings():
        warnings.simplefilter("error", torch.jit.TracerWarning)
        warnings.simplefilter("error", UserWarning)
        with repaired(interface, route) as (mended, records):
            captured = capture(mended, route)
    names = ["autograd functions", "host-side guards", "idle casts"]
    assert [one.name for one in records][:3] == names
    proofs = {one.name: one.proof for one in records}
    assert proofs.pop("idle casts").startswith("what is left out returns its own tensor")
    assert {*proofs.values()} == {"every output byte equals the untouched network's, on 3 inputs"}
    taken: Any = captured.traced or captured.exported.module()  # type: ignore[union-attr]
    for step in (0, 1, 999):
        values = strangers.inputs(step)
        with torch.no_grad():
            assert torch.equal(taken(*values), strangers.net()(*values))


def test_it_is_carried_from_the_command_line(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = code(tmp_path, "from tests.strangers import Net")
    inputs = [part for text in STRANGER for part in ("--input", text)]
    options = ["--model", f"{file}:Net", *inputs, "--quiet"]
    out = tmp_path / "out"
    assert cli.main(["convert", str(checkpoint), "-o", str(out), *options]) == 0
    bill = json.loads((out / "lading.json").read_text())
    assert bill["verdict"] == "pass"
    assert (bill["family"], bill["task"]["kind"]) == ("module", "module")
    assert bill["ledger_summary"]["unexplained"] == 0
    assert bill["request"]["options"]["model"] == f"{file}:Net"
    assert bill["request"]["options"]["input"] == list(STRANGER)
    repairs = {one["name"] for one in bill["capture"]["repairs"]}
    assert {"autograd functions", "host-side guards", "idle casts"} <= repairs
    (package,) = out.glob("*.mlpackage")
    verify = ["verify", str(package), "--against", str(checkpoint), *options]
    verify += ["-o", str(tmp_path / "verified")]
    assert cli.main(verify) == 0
    capsys.readouterr()
    inspect = ["inspect", str(checkpoint), *options[:-1], "--json"]
    assert cli.main(inspect) == 0
    assert json.loads(capsys.readouterr().out)["ledger_summary"]["unexplained"] == 0


def test_it_is_carried_from_python(checkpoint: Path, tmp_path: Path) -> None:
    x, t = strangers.inputs(999)
    bill = lading.convert(
        checkpoint, tmp_path / "out", to=("onnx",), model=strangers.Net,
        input={"x": x, "timesteps": t},
    )  # fmt: skip
    assert bill.verdict == "pass"


def test_an_unknown_checkpoint_offers_it(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.ones(2)}, tmp_path / "unknown.pt")
    error = refused(lambda: load(Source(tmp_path / "unknown.pt")))
    assert "--model FILE.py:FACTORY --input NAME:DTYPE[SHAPE]" in error.remedy
