"""What is known beforehand: the tolerance, refusals that tests ask for, and excuses."""

from __future__ import annotations

#: For float16. One ulp is at most 2^-10 = 0.001 of the value: five of them leave room for results
#: that are rounded at each of several operations; 0.002 covers what is near zero.
RTOL, ATOL = 0.005, 0.002

_NEURAL_NETWORK = "asks for a neural network first, which is no ML Program"
_CLOCK = "asks the conversion to take less than 10 ms, and asks nothing of a runtime"

#: Cases that cannot pass: how the node id begins, what else stands in it, and why.
EXCLUDED = (
    (
        "iOS14/test_conv.py::TestConv::test_type_inference_dynamic_x_with_groups",
        "",
        _NEURAL_NETWORK,
    ),
    (
        "iOS17/test_conv.py::TestConv::test_type_inference_dynamic_x_with_groups",
        "",
        _NEURAL_NETWORK,
    ),
    (
        "iOS14/test_tensor_transformation.py::TestSliceByIndex::test_slice_by_index",
        "",
        _NEURAL_NETWORK,
    ),
    (
        "iOS17/test_tensor_transformation.py::TestSliceByIndex::test_slice_by_index",
        "",
        _NEURAL_NETWORK,
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
        "iOS15/test_image_resizing.py::TestCropResize::test_builder_to_backend_smoke",
        "",
        "gives a normalized box from 2 to 1, where the operation's documentation asks for [0, 1]; "
        "what Core ML makes of it is written nowhere",
    ),
    (
        "iOS15/test_image_resizing.py::TestResample::test_builder_to_backend_smoke",
        "precision='fp32'",
        "after its first comparison, which holds, it counts two casts in the converted program: "
        "so it is for float16 alone",
    ),
    (
        "iOS17/test_scatter_gather.py::TestScatter::test_ios17_invalid_indices",
        "validate_indices=False",
        "asserts that unchecked indices beyond the tensor give a wrong answer, which is undefined "
        "and not the same from one opset to the next; lading.mil refuses such indices",
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
}

_FLOAT16 = (
    "asks rtol 1e-5, atol 1e-4, less than half a float16 ulp, where float16 has rounded: numbers "
    "written into the test that float16 does not hold, or a reference computed in float16"
)
_DECIMALS = "its reference says 7.899 where the exact value is 1 + 1.5 * 4 + 0.9 = 7.9"

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
