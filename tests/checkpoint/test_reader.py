"""Reading whole files: every container, against torch and safetensors as the outside oracles."""

from __future__ import annotations

import datetime
import importlib
import io
import os
import pickle
import struct
import tarfile
import tempfile
import zipfile
from argparse import Namespace
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from torch import nn

from lading.checkpoint import Named, Placeholder, nonfinite, read
from lading.checkpoint.mapped import Mapped
from lading.checkpoint.tensors import same_bytes
from lading.errors import CheckpointError, RequestError

DTYPES = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    *(torch.complex64, torch.complex128, torch.uint16, torch.float8_e4m3fn),
]


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    """Whole, empty, sliced, transposed and repeated tensors with random bytes."""
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    seed = draw(st.integers(0, 1 << 16))
    high = 2 if dtype == torch.bool else 256
    count = int(np.prod(shape, dtype=int)) * dtype.itemsize
    raw = np.random.default_rng(seed).integers(0, high, count, dtype=np.uint8)
    made = torch.empty(shape, dtype=dtype)
    if count:
        made = torch.from_numpy(raw).view(dtype).reshape(shape)
    change = draw(st.sampled_from(["none", "transpose", "slice", "repeat"]))
    if change == "transpose" and made.ndim > 1:
        made = made.transpose(0, -1)
    elif change == "slice" and made.ndim:
        made = made[1:]
    elif change == "repeat":
        made = made.expand(3, *made.shape)
    return made


states = st.dictionaries(st.text("abcxyz._0189", min_size=1, max_size=8), tensors(), min_size=1)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(states, plain, st.booleans(), st.booleans())
def test_what_torch_saves_is_read_to_the_byte(
    state: dict[str, torch.Tensor], beside: Any, new: bool, nested: bool
) -> None:
    # torch's old writer has no storages for the newer dtypes.
    new = new or any(t.dtype in (torch.uint16, torch.float8_e4m3fn) for t in state.values())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.pth")
        saved = {"state_dict": state, "beside": beside} if nested else state
        torch.save(saved, path, _use_new_zipfile_serialization=new)
        checkpoint = read(path)
        oracle = torch.load(path, weights_only=False)
        oracle = oracle["state_dict"] if nested else oracle
        cut = len(next(iter(state))) - len(next(iter(checkpoint.tensors)))
        assert [name[cut:] for name in state] == list(checkpoint.tensors)
        for name, tensor in checkpoint.tensors.items():
            original = next(t for n, t in state.items() if n[cut:] == name)
            assert same_bytes(tensor, original)
            assert tensor.stride() == oracle[next(n for n in state if n[cut:] == name)].stride()
        assert checkpoint.metadata == ({"beside": beside} if nested else {})
        assert checkpoint.record.bytes == path.stat().st_size
        assert checkpoint.record.container == ("torch zip" if new else "torch pickles")


@settings(max_examples=40, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(states)
def test_what_safetensors_saves_is_read_to_the_byte(state: dict[str, torch.Tensor]) -> None:
    # The format has no complex128.
    state = {n: t.contiguous().clone() for n, t in state.items() if t.dtype != torch.complex128}
    assume(state)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "weights.bin")
        safetensors.torch.save_file(state, path, metadata={"format": "pt"})
        checkpoint = read(path)
        cut = len(next(iter(sorted(state)))) - len(min(checkpoint.tensors))
        assert {name[cut:] for name in state} == set(checkpoint.tensors)
        for name, tensor in state.items():
            assert same_bytes(checkpoint.tensors[name[cut:]], tensor)
        assert checkpoint.metadata == {"__metadata__": {"format": "pt"}}
        assert checkpoint.record.container == "safetensors"


@pytest.mark.parametrize("new", [True, False])
def test_shared_storages_stay_shared(new: bool, tmp_path: Path) -> None:
    base = torch.arange(24.0)
    state = {
        "a": base.view(4, 6),
        "b": base.view(4, 6),
        "half": base[12:],
        "t": base.view(4, 6).t(),
    }
    torch.save(state, tmp_path / "m.pth", _use_new_zipfile_serialization=new)
    checkpoint = read(tmp_path / "m.pth")
    assert checkpoint.aliases == {"b": "a"}
    tensors = checkpoint.tensors
    assert tensors["half"].data_ptr() == tensors["a"].data_ptr() + 48
    assert tensors["t"].stride() == (1, 6)


def test_writing_to_a_tensor_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    torch.save({"w": torch.zeros(1000)}, path)
    before = path.read_bytes()
    read(path).tensors["w"].fill_(7)
    assert path.read_bytes() == before
    assert not read(path).tensors["w"].any()


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
def test_reading_copies_no_tensor(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Mapped] = []

    class Watched(Mapped):
        def __init__(self, path: Path) -> None:
            super().__init__(path)
            opened.append(self)

    monkeypatch.setattr("lading.checkpoint.reader.Mapped", Watched)
    state = {"w": torch.zeros(1 << 10), "v": torch.ones(64)}
    if form == "safetensors":
        safetensors.torch.save_file(state, tmp_path / "m")
    else:
        torch.save(state, tmp_path / "m", _use_new_zipfile_serialization=form == "zip")
    tensors = read(tmp_path / "m").tensors
    (source,) = opened
    begin = torch.frombuffer(source.data, dtype=torch.uint8).data_ptr()
    inside = [begin <= one.data_ptr() < begin + source.size for one in tensors.values()]
    # The old format aligns nothing: there a tensor may have to be copied.
    assert all(inside) or form == "legacy"


def test_metadata_is_plain_data(tmp_path: Path) -> None:
    rich = {
        "w": torch.ones(2),
        "ordered": OrderedDict(a=1),
        "default": defaultdict(list, a=[1]),
        "counter": Counter("aab"),
        "deque": deque([1, 2], maxlen=5),
        "args": Namespace(lr=0.1, out=Path("runs/1")),
        "when": datetime.datetime(2024, 5, 6, 7, tzinfo=datetime.timezone.utc),
        "set": {1, 2},
        "size": torch.Size([1, 2]),
        "dtype": torch.bfloat16,
        "device": torch.device("cuda", 1),
        "float64": np.float64(0.9),
        "float32": np.float32(0.1),
        "int": np.int64(-3),
        "bool": np.bool_(True),
        "array": np.arange(6.0).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
        "big endian": np.arange(3, dtype=">f4"),
        "texts": np.array(["a", "bc"]),
        "complex": 1 + 2j,
        "bytes": b"\x00\xff",
        "objects": np.array([{}, None], dtype=object),
    }
    for new in (True, False):
        torch.save(rich, tmp_path / "m.pth", _use_new_zipfile_serialization=new)
        found = dict(read(tmp_path / "m.pth").metadata)
        for name in ("array", "fortran", "big endian", "texts"):
            array = found.pop(name)
            np.testing.assert_array_equal(array, rich[name])
        objects = found.pop("objects")
        assert isinstance(objects, Placeholder)
        assert repr(objects) == "<numpy.ndarray, not run>"
        assert found == {
            "ordered": {"a": 1},
            "default": {"a": [1]},
            "counter": {"a": 2, "b": 1},
            "deque": [1, 2],
            "args": {"lr": 0.1, "out": PurePosixPath("runs/1")},
            "when": datetime.datetime(2024, 5, 6, 7, tzinfo=datetime.timezone.utc),
            "set": {1, 2},
            "size": (1, 2),
            "dtype": torch.bfloat16,
            "device": torch.device("cuda", 1),
            "float64": 0.9,
            "float32": float(np.float32(0.1)),
            "int": -3,
            "bool": True,
            "complex": 1 + 2j,
            "bytes": b"\x00\xff",
        }
        assert type(found["float64"]) is float
        assert type(found["bool"]) is bool


class Config(dict[str, Any]):
    """A class that a reader elsewhere does not have."""


def test_an_unknown_class_is_a_placeholder(tmp_path: Path) -> None:
    config = Config(lr=0.5)
    config.name = "big"  # type: ignore[attr-defined]
    torch.save({"w": torch.ones(1), "config": config, "kind": Config}, tmp_path / "m.pth")
    found = read(tmp_path / "m.pth").metadata
    assert isinstance(found["config"], Placeholder)
    assert (found["config"].name, found["config"].module) == ("Config", __name__)
    assert found["config"].entries == {"lr": 0.5}
    assert found["config"].state == {"name": "big"}
    assert found["kind"] == Named(__name__, "Config")


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3, bias=False)
        self.norm = nn.BatchNorm2d(2)
        self.again = self.conv
        self.none = None
        self.register_buffer("temporary", torch.zeros(3), persistent=False)


@pytest.mark.parametrize("new", [True, False])
def test_a_pickled_module_gives_its_state_dict(new: bool, tmp_path: Path) -> None:
    module = nn.Sequential(Block(), nn.LSTM(2, 3), nn.ReLU())
    torch.save(
        {"model": module, "epoch": 1}, tmp_path / "m.pth", _use_new_zipfile_serialization=new
    )
    checkpoint = read(tmp_path / "m.pth")
    state = module.state_dict()
    assert list(checkpoint.tensors) == list(state)
    assert all(same_bytes(checkpoint.tensors[name], state[name]) for name in state)
    assert checkpoint.aliases == {"0.again.weight": "0.conv.weight"}
    assert checkpoint.metadata == {"epoch": 1}
    assert any("Sequential, not run" in step for step in checkpoint.record.steps)


def test_both_spellings_of_numpy(tmp_path: Path) -> None:
    saved = {"w": torch.ones(1), "a": np.arange(3.0), "s": np.float64(0.25)}
    torch.save(saved, tmp_path / "new.pth", _use_new_zipfile_serialization=False)
    raw = (tmp_path / "new.pth").read_bytes()
    new, old = b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"
    if new not in raw:
        new, old = old, new
    assert raw.count(new) == 2
    (tmp_path / "old.pth").write_bytes(raw.replace(new, old))
    for name in ("new.pth", "old.pth"):
        found = read(tmp_path / name).metadata
        assert found["s"] == 0.25
        assert found["a"].tolist() == [0, 1, 2]


def test_torchs_first_format(tmp_path: Path) -> None:
    """The tar of torch 0.1, written by hand; torch itself still reads it and is the oracle."""
    path = tmp_path / "m.t7"
    values = struct.pack("<6f", *range(6))

    def kind(name: str) -> bytes:
        return b"ctorch\n" + name.encode() + b"\n"

    storages = (
        pickle.dumps(1, 2)
        + b"\x80\x02(K\x07U\x03cpu"
        + kind("FloatStorage")
        + b"t."
        + struct.pack("<q", 6)
        + values
        + pickle.dumps([(8, 7, 2, 4)], 2)
    )
    tensor = struct.pack("<ii", 2, 0) + struct.pack("<2q2qq", 2, 2, 2, 1, 0)
    tensors = (
        pickle.dumps(2, 2)
        + b"\x80\x02(K\x01K\x07"
        + kind("FloatTensor")
        + b"t."
        + tensor
        + b"\x80\x02(K\x02K\x08"
        + kind("FloatTensor")
        + b"t."
        + tensor
    )
    program = b"\x80\x02}(U\x01aU\x011QU\x01bU\x012Qu."
    with tarfile.open(path, "w") as out:
        parts = {"sys_info": pickle.dumps({}, 2), "pickle": program}
        for name, data in {**parts, "storages": storages, "tensors": tensors}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    checkpoint = read(path)
    assert checkpoint.record.container == "torch tar"
    assert checkpoint.tensors["a"].tolist() == [[0, 1], [2, 3]]
    assert checkpoint.tensors["b"].tolist() == [[2, 3], [4, 5]]
    oracle = torch.load(path, weights_only=False)
    assert all(torch.equal(oracle[name], checkpoint.tensors[name]) for name in "ab")


def nnunet(path: Path, network: nn.Module, **change: Any) -> dict[str, Any]:
    """A file in the form of a genuine nnU-Net v2 checkpoint."""
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.99)
    saved = {
        "network_weights": network.state_dict(),
        "optimizer_state": optimizer.state_dict(),
        "grad_scaler_state": {"scale": 65536.0, "_growth_tracker": 3},
        "logging": {"mean_fg_dice": [np.float64(0.5), np.float64(0.75)], "lrs": [0.01]},
        "_best_ema": np.float64(0.875),
        "current_epoch": 2,
        "init_args": {
            "plans": {"dataset_name": "Dataset027_CAMUS"},
            "configuration": "2d",
            "fold": 0,
            "dataset_json": {"channel_names": {"0": "Grayscale"}},
            "device": torch.device("cuda"),
        },
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1),
        **change,
    }
    torch.save(saved, path)
    return saved


def camus(features: list[int]) -> nn.Module:
    unet = importlib.import_module("dynamic_network_architectures.architectures.unet")
    network: nn.Module = unet.PlainConvUNet(
        1,
        len(features),
        features,
        nn.Conv2d,
        3,
        [1] + [2] * (len(features) - 1),
        2,
        3,
        2,
        True,
        nn.InstanceNorm2d,
        {"eps": 1e-5, "affine": True},
        None,
        None,
        nn.LeakyReLU,
        {"inplace": True},
        deep_supervision=True,
    )
    return network


def check_nnunet(path: Path, features: list[int], names: int, distinct: int) -> None:
    network = camus(features)
    state = network.state_dict()
    nnunet(path, network)
    checkpoint = read(path)
    assert list(checkpoint.tensors) == list(state)
    assert len(checkpoint.tensors) == names
    assert names - len(checkpoint.aliases) == distinct
    assert checkpoint.conflicts == ()
    # The names that stay are the ones that the module's own parameters have.
    kept = [name for name in state if name not in checkpoint.aliases]
    assert kept == [name for name, _ in network.named_parameters()]
    assert not any("all_modules" in name or "decoder.encoder" in name for name in kept)
    assert checkpoint.aliases["decoder.encoder.stages.0.0.convs.0.all_modules.0.weight"] == (
        "encoder.stages.0.0.convs.0.conv.weight"
    )
    assert checkpoint.metadata["_best_ema"] == 0.875
    assert checkpoint.metadata["init_args"]["device"] == torch.device("cuda")
    assert checkpoint.metadata["inference_allowed_mirroring_axes"] == (0, 1)
    assert "network_weights" not in checkpoint.metadata
    assert "took 'network_weights' out of the file's 9 entries" in checkpoint.record.steps


def test_a_small_nnunet_checkpoint(tmp_path: Path) -> None:
    check_nnunet(tmp_path / "m.pth", [4, 8, 16], 136, 48)


def test_the_full_size_nnunet_checkpoint(tmp_path: Path) -> None:
    check_nnunet(tmp_path / "m.pth", [32, 64, 128, 256, 512, 512, 512], 344, 128)


def test_an_unshared_nnunet_checkpoint(tmp_path: Path) -> None:
    state = {name: tensor.clone() for name, tensor in camus([4, 8, 16]).state_dict().items()}
    torch.save(state, tmp_path / "m.pth")
    checkpoint = read(tmp_path / "m.pth")
    assert len(checkpoint.tensors) - len(checkpoint.aliases) == 48
    second = "decoder.encoder.stages.1.0.convs.0.conv.weight"
    state[second] = state[second] + 1
    torch.save(state, tmp_path / "m.pth")
    (conflict,) = read(tmp_path / "m.pth").conflicts[:1]
    assert second in conflict.name or "stages.1.0.convs.0" in conflict.name
    assert len({claim.value for claim in conflict.claims}) == 2


def test_names_with_nan_or_infinity(tmp_path: Path) -> None:
    bad = torch.tensor([1.0, float("inf")])
    state = {
        "a": torch.ones(2),
        "b": bad,
        "c": bad,
        "d": torch.tensor([float("nan")], dtype=torch.bfloat16),
        "e": torch.tensor([float("nan")]).to(torch.float8_e4m3fn),
        "f": torch.arange(3),
    }
    torch.save(state, tmp_path / "m.pth")
    assert nonfinite(read(tmp_path / "m.pth")) == ("b", "c", "d", "e")


def found(path: Path, kind: type[Exception] = CheckpointError, **options: Any) -> Any:
    with pytest.raises(CheckpointError if kind is CheckpointError else kind) as caught:
        read(path, **options)
    problem: Any = caught.value
    assert type(problem) is kind
    assert problem.remedy
    return problem


def test_a_missing_file(tmp_path: Path) -> None:
    assert found(tmp_path / "no.pth").found == "no such file"


def test_what_the_computer_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "m.pth").write_bytes(b"x")
    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "glob", refuse)
    for path in (tmp_path / "m.pth", tmp_path):
        problem = found(path)
        assert problem.subject == str(path)
        assert problem.found == "Permission denied"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.pth")
    assert "neither a regular file" in found(tmp_path / "m.pth").found


@pytest.mark.parametrize(
    ("content", "says", "remedy"),
    [
        (b"", "an empty file (0 bytes)", "download it again"),
        (b"Dear reader,\nthis is text.\n", "a text file ('Dear reader, this is text.')", "itself"),
        (b'{"a": 1}', "JSON ", "itself"),
        (b"<?xml version='1.0'?>", "an XML file", "itself"),
        (b"\n<!DOCTYPE html><html>", "an HTML page", "direct link"),
        (b"<html><head>", "an HTML page", "direct link"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS", "git lfs pull"),
        (b"\x1f\x8b\x08\x00", "a gzip file", "gunzip"),
        (b"\x89HDF\r\n\x1a\n", "HDF5", "PyTorch"),
        (b"GGUF\x03\x00", "a GGUF file", "made from"),
        (b"\x08\x08\x12\x07pytorch", "an ONNX model", "made from"),
        (b"\x08\x0a:\x90\x02\n\x04\x12\x01y", "an ONNX model", "made from"),
        (b"\x08\x07\x12\xf0\x01\n\x05\n\x01xZ\x00", "a Core ML model", "made from"),
        (bytes(5000), "nothing but zero bytes", "not finished"),
        (b"\x01\x02\x03\xff\xfe", "no kind that lading knows (01 02 03 ff fe)", "right file"),
        (pickle.dumps({"a": 1}, 2), "a pickle that torch.save did not write", "torch.save"),
    ],
)
def test_files_that_are_no_checkpoint(
    content: bytes, says: str, remedy: str, tmp_path: Path
) -> None:
    (tmp_path / "model.pth").write_bytes(content)
    problem = found(tmp_path / "model.pth")
    assert says in problem.found
    assert remedy in problem.remedy
    assert problem.subject == str(tmp_path / "model.pth")


def test_torchscript_is_named(tmp_path: Path) -> None:
    torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)).save(str(tmp_path / "m.pt"))
    problem = found(tmp_path / "m.pt")
    assert "TorchScript" in problem.found
    assert "ask its author for the state dict" in problem.remedy


def test_other_archives_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.ones(2))
    assert "numpy archive" in found(tmp_path / "a.npz").found
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as out:
        out.writestr("m.mlpackage/Manifest.json", "{}")
    assert "Core ML package" in found(tmp_path / "m.zip").found
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as out:
        out.writestr("photos/1.jpg", "")
    assert "without exactly one data.pkl (photos/1.jpg)" in found(tmp_path / "m.zip").found
    (tmp_path / "a.txt").write_text("a")
    with tarfile.open(tmp_path / "m.tar", "w") as tar:
        tar.add(tmp_path / "a.txt", "a.txt")
    assert "a tar archive that is no checkpoint (a.txt)" in found(tmp_path / "m.tar").found


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_legacy_file(kept: float, tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    torch.save({"w": torch.arange(99.0)}, path, _use_new_zipfile_serialization=False)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * kept)])
    assert "the end of the" in found(path).found


@pytest.mark.parametrize(
    ("saved", "says"),
    [
        ({"a": 1, "b": [2]}, "a dict with the keys a, b, and no tensor in it"),
        ({}, "an empty dict"),
        (torch.ones(2, 3), "a single tensor of shape (2, 3)"),
        ([torch.ones(1)], "a list"),
        ({0: torch.ones(1)}, "a tensor under the key 0 (int)"),
    ],
)
def test_objects_without_a_network(saved: Any, says: str, tmp_path: Path) -> None:
    torch.save(saved, tmp_path / "m.pth")
    assert says in found(tmp_path / "m.pth").found


@pytest.mark.parametrize("new", [True, False])
def test_special_tensors_are_not_dropped(new: bool, tmp_path: Path) -> None:
    path, old = tmp_path / "m.pth", {"_use_new_zipfile_serialization": new}
    torch.save({"v": torch.ones(2), "w": torch.eye(3).to_sparse()}, path, **old)
    problem = found(path)
    assert problem.subject == f"{path}, tensor w"
    assert problem.found == "a tensor of a special kind (sparse_tensor)"
    torch.save({"w": torch.quantize_per_tensor(torch.ones(2), 1.0, 0, torch.qint8)}, path, **old)
    assert found(path).found == "quantised tensors (QInt8Storage)"


def test_fold_for_a_file(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(1)}, tmp_path / "m.pth")
    problem = found(tmp_path / "m.pth", RequestError, fold="0")
    assert problem.subject == "--fold 0"
