"""Where Core ML means to run what: Apple's `MLComputePlan`, on a Mac with macOS 14.4 or newer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from lading.record.bench import Placed

#: By the class of coremltools that stands for the device.
_DEVICES = {
    "MLCPUComputeDevice": "CPU",
    "MLGPUComputeDevice": "GPU",
    "MLNeuralEngineComputeDevice": "Neural Engine",
}


def placed(plan: Any) -> tuple[Placed, ...]:
    """What of a plan goes where, by kind of operation and device, the costly first.

    Args:
        plan: a `coremltools.models.compute_plan.MLComputePlan`. It says nothing of constants, and
            of networks before ML Programs no cost.
    """
    counts: dict[tuple[str, str], int] = defaultdict(int)
    costs: dict[tuple[str, str], float] = defaultdict(float)
    priced = False
    for kind, usage, cost in _every(plan, plan.model_structure):
        if usage is None:
            continue
        device = type(usage.preferred_compute_device).__name__
        key = kind, _DEVICES.get(device, device)
        counts[key] += 1
        if cost is not None:
            priced = True
            costs[key] += cost.weight
    found = [Placed(*key, count, costs[key] if priced else None) for key, count in counts.items()]
    return tuple(sorted(found, key=lambda one: (-(one.cost or 0.0), -one.count, one.op)))


def _every(plan: Any, structure: Any) -> Iterator[tuple[str, Any, Any]]:
    if structure.pipeline is not None:
        for part in structure.pipeline.sub_models:  # each with its name
            yield from _every(plan, part[1])
    if structure.neuralnetwork is not None:
        for layer in structure.neuralnetwork.layers:
            usage = plan.get_compute_device_usage_for_neuralnetwork_layer(layer)
            yield layer.type, usage, None
    if structure.program is not None:
        for function in structure.program.functions.values():
            for op in _operations(function.block):
                usage = plan.get_compute_device_usage_for_mlprogram_operation(op)
                cost = plan.get_estimated_cost_for_mlprogram_operation(op)
                yield op.operator_name.rpartition(".")[2], usage, cost


def _operations(block: Any) -> Iterator[Any]:
    for op in block.operations:
        yield op
        for inner in op.blocks:
            yield from _operations(inner)
