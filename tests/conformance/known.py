"""What is known beforehand: the tolerance, refusals that tests ask for, and excuses."""

from __future__ import annotations

import re

#: For float16. One ulp is at most 2^-10 = 0.001 of the value: five of them leave room for results
#: that are rounded at each of several operations; 0.002 covers what is near zero.
RTOL, ATOL = 0.005, 0.002

_UNSEEN = "asks for a prediction and looks at none of it"
_CLOCK = "asks the conversion to take less than 10 ms, and asks nothing of a runtime"

#: Cases that cannot pass: how the node id begins, what else stands in it, and why.
EXCLUDED = (
    (
        "iOS14/test_conv.py::TestConv::test_type_inference_dynamic_x_with_groups",
        "",
        _UNSEEN,
    ),
    (
        "iOS17/test_conv.py::TestConv::test_type_inference_dynamic_x_with_groups",
        "",
        _UNSEEN,
    ),
    (
        "iOS14/test_tensor_transformation.py::TestSliceByIndex::test_efficient_type_inference",
        "",
        _CLOCK,
    ),
    (
        "iOS17/test_tensor_transformation.py::TestSliceByIndex::test_efficient_type_inference",
        "",
        _CLOCK,
    ),
    (
        "iOS15/test_image_resizing.py::TestResample::test_builder_to_backend_smoke",
        "precision='fp32'",
        "after its first comparison, which holds, it asserts that the converted program has two "
        "casts, which is so in float16 alone; the same four programs pass in "
        "iOS16/test_image_resizing.py, whose count knows of both precisions",
    ),
    (
        "iOS17/test_scatter_gather.py::TestScatter::test_ios17_invalid_indices",
        "validate_indices=False",
        "asserts that unchecked indices beyond the tensor do not count from the end. The "
        "operation's documentation: 'behavior for out-of-bound indices is undefined but memory "
        "safe'; the suite itself marks the same assertion as failing with iOS18 (rdar://128089254):"
        " Core ML's answer changed. There is no right answer to give; "
        "lading.coreml.mil gives none and says which index it was",
    ),
    (
        "iOS14/test_image_resizing.py::TestUpsampleBilinear::test_builder_to_backend_stress",
        "scale_factor=(0.5, 0.75)-align_corners=False-recompute_scale_factor=False",
        "the suite expects it to fail (rdar://81124053), and no runtime can do otherwise: with "
        "recompute_scale_factor=True, which passes, the program is the same to the letter and the "
        "reference another. torch steps 1 / 0.75 = 1.333 in the one and 22 / 16 = 1.375 in the "
        "other, which Core ML documents",
    ),
    (
        "test_torch_ops.py::TestIndexPut::test_index_put_negative_indices_case_2",
        "TORCHEXPORT-rank=3",
        "coremltools casts its negative indices to uint16 and says that they need no check: 65535 "
        "in a dimension of 3. The suite itself marks the same program of TorchScript as failing "
        "(rdar://133476254); lading.coreml.mil gives no answer and says which index it was",
    ),
    (
        "test_torch_ops.py::TestFill::test_fill__2",
        "fill_scalar=0.2-src_dtype=torch.int32",
        "coremltools fills a tensor of whole numbers with 0.2, where torch fills in 0: the program "
        "is not what was converted, and lading.coreml.mil computes what it says. The suite marks "
        "the neural network of the same case (rdar://125572392)",
    ),
    ("test_torch_ops.py::TestNms::", "", "its reference is torchvision's, which is not installed"),
    (
        "test_torch_export_conversion_api.py::TestExecuTorchExamples::test_softmax",
        "",
        "asserts the text of a stack trace, which torch writes otherwise by now",
    ),
)

#: Tests that demand an error of the runtime, and what the error says. The test itself asserts
#: that one is raised; any other error is red.
REFUSALS = {
    "iOS17/test_scatter_gather.py::TestScatter::test_ios17_invalid_indices": "IndexError: index",
    "iOS17/test_scatter_gather.py::TestScatterAlongAxis::test_ios17_invalid_indices": (
        "IndexError: index"
    ),
    "iOS17/test_scatter_gather.py::TestScatterNd::test_ios17_invalid_indices": "IndexError: index",
    "test_torch_ops.py::TestIndexPut::test_index_put_negative_indices_case_2": (
        "IndexError: index 655"
    ),
}

#: What the reason of a skip says that is not of the converter: another backend, front end or
#: system, and parameters that mean nothing.
_OTHERS = re.compile(
    "nn backend|neural ?network|executorch|iOS|macOS|invalid|doesn't|not found|[GC]PU|config",
    re.I,
)


def skipped_for_the_converter(reason: str) -> bool:
    """Whether a test is skipped because torch's graph or the converter cannot.

    >>> skipped_for_the_converter("torch._ops.aten.randint.low is not Aten Canonical")
    True
    >>> skipped_for_the_converter("nn backend not supported"), skipped_for_the_converter("")
    (False, False)
    """
    return bool(reason) and not _OTHERS.search(reason)


_FLOAT16 = (
    "asks rtol 1e-5, atol 1e-4, less than half a float16 ulp, where float16 has rounded: numbers "
    "written into the test that float16 does not hold, or a reference computed in float16"
)
_DECIMALS = (
    "its reference says 7.899 for the point at row 1.5, column 0.9 of rows of four that count from "
    "1: 1 + 4 * 1.5 + 0.9 = 7.9; the other numbers of the reference, found by the same rule, hold"
)

#: Cases whose float32 reference is not what the program is asked: a test, what stands in the node
#: id, and why. They are held to `RTOL`, `ATOL` instead, in every reading.
LOOSER = (
    (
        "iOS14/test_normalization.py::TestNormalizationInstanceNorm"
        "::test_builder_to_backend_smoke_with_gamma_and_beta",
        "float16",
        _FLOAT16,
    ),
    (
        "iOS17/test_normalization.py::TestNormalizationInstanceNorm"
        "::test_builder_to_backend_smoke_with_gamma_and_beta",
        "float16",
        _FLOAT16,
    ),
    (
        "iOS14/test_normalization.py::TestNormalizationL2Norm::test_builder_to_backend_stress",
        "float16",
        _FLOAT16,
    ),
    (
        "iOS17/test_normalization.py::TestNormalizationL2Norm::test_builder_to_backend_stress",
        "float16",
        _FLOAT16,
    ),
    (
        "iOS16/test_image_resizing.py::TestResample::test_builder_to_backend_smoke_iOS16",
        "float16",
        _FLOAT16,
    ),
    (
        "iOS17/test_image_resizing.py::TestResample::test_builder_to_backend_smoke",
        "float16",
        _FLOAT16,
    ),
    (
        "iOS17/test_recurrent.py::TestLSTM::test_builder_to_backend_smoke_bidirlstm",
        "float16",
        _FLOAT16,
    ),
    (
        "iOS16/test_image_resizing.py::TestCropResize::test_builder_to_backend_ios16",
        "pad_value",
        _DECIMALS,
    ),
    (
        "iOS17/test_image_resizing.py::TestCropResize::test_builder_to_backend_ios17",
        "N=3",
        _DECIMALS,
    ),
)


def demanded_refusal(nodeid: str) -> str:
    """What the refusal says that this case demands, or empty."""
    return REFUSALS.get(nodeid.partition("[")[0], "")


def looser(nodeid: str) -> str:
    """Why a float32 case is held to `RTOL`, `ATOL`, or empty."""
    test, _, parameters = nodeid.partition("[")
    if "precision='fp32'" not in parameters:
        return ""
    return next((why for one, part, why in LOOSER if one == test and part in parameters), "")


def reason(nodeid: str) -> str:
    """Why the case cannot pass, or empty."""
    return next(
        (why for start, part, why in EXCLUDED if nodeid.startswith(start) and part in nodeid), ""
    )
