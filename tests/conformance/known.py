"""What is known beforehand: the tolerance, refusals that tests ask for, and excuses."""

from __future__ import annotations

#: For float16. One ulp is at most 2^-10 = 0.001 of the value: five of them leave room for results
#: that are rounded at each of several operations; 0.002 covers what is near zero.
RTOL, ATOL = 0.005, 0.002

_NEURAL_NETWORK = "asks for a neural network first, which is no ML Program"

#: Cases that cannot be run.
EXCLUDED = {
    "iOS14/test_conv.py::TestConv::test_type_inference_dynamic_x_with_groups": _NEURAL_NETWORK,
    "iOS14/test_tensor_transformation.py::TestSliceByIndex::test_slice_by_index": _NEURAL_NETWORK,
    "iOS14/test_tensor_transformation.py::TestSliceByIndex"
    "::test_slice_by_index_slice_squeeze_separate": _NEURAL_NETWORK,
}

#: Tests that demand an error of the runtime, and what the error says. The test itself asserts
#: that one is raised; any other error is red.
REFUSALS = {
    "iOS17/test_scatter_gather.py::TestScatter::test_ios17_invalid_indices": "IndexError: index",
    "iOS17/test_scatter_gather.py::TestScatterAlongAxis::test_ios17_invalid_indices": (
        "IndexError: index"
    ),
    "iOS17/test_scatter_gather.py::TestScatterNd::test_ios17_invalid_indices": "IndexError: index",
}

#: Tests that, called with float16 data and precision float32, compare with a reference that is
#: not a function of the data they give: see `FLOAT16_REASON`.
FLOAT16_DATA = ("iOS14/test_conv.py::TestConv::test_builder_to_backend_stress",)

FLOAT16_REASON = (
    "asks rtol 1e-5, atol 1e-4 of data that the test itself rounded to float16, against a "
    "reference that was computed from the data before, or in float16 where the program computes "
    f"in float32; held to rtol {RTOL}, atol {ATOL} instead, in both readings"
)


def demanded_refusal(nodeid: str) -> str:
    """What the refusal says that this case demands, or empty."""
    return REFUSALS.get(nodeid.partition("[")[0], "")


def float16_data(nodeid: str) -> bool:
    """Whether the case asks float32 of float16 data, in a test where that is out of reach."""
    test, _, parameters = nodeid.partition("[")
    return (
        test in FLOAT16_DATA
        and "precision='fp32'" in parameters
        and ("float16" in parameters or "dtype=fp16" in parameters)
    )


def reason(nodeid: str) -> str:
    """Why the case cannot pass, or empty."""
    return EXCLUDED.get(nodeid, "")
