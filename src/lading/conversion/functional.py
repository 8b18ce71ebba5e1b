"""An exported program in the form that coremltools takes: every operation functional.

`ExportedProgram.run_decompositions({})` makes it by tracing the whole program once more. Of a
program in which nothing is written in place, nothing shares memory and nothing is left unused, what
comes out is what went in, under another name of its dialect: so it is only named.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import fx
from torch._export import utils
from torch._export.verifier import Verifier
from torch.export import ExportedProgram

#: torch's own answer whether its tracing leaves a composite operator whole; None of a torch that
#: has it under another name.
_stays_whole: Any = getattr(utils, "_is_preservable_cia_op", None)
_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd


def functional(program: ExportedProgram) -> ExportedProgram:
    """See above; a program of its own.

    Raises:
        Exception: of torch, where the program cannot be traced again.
    """
    if not is_functional(program):
        made: ExportedProgram = program.run_decompositions({})
        return made
    module = copy.deepcopy(program.graph_module)
    for node, own in zip(program.graph.nodes, module.graph.nodes, strict=True):
        own.name = node.name  # which a copy makes anew, and the signature names
    return ExportedProgram(
        module,
        module.graph,
        program.graph_signature,
        program.state_dict,
        program.range_constraints,
        program.module_call_graph,
        program.example_inputs,
        program.constants,
        verifiers=[Verifier],
    )


def is_functional(program: ExportedProgram) -> bool:
    """Whether tracing it again would change nothing: known of closed sizes alone."""
    signature = program.graph_signature
    changes = signature.buffers_to_mutate or signature.user_inputs_to_mutate
    if changes or program.range_constraints or _stays_whole is None:
        return False
    return all(map(_stays, program.graph.nodes))


def _stays(node: fx.Node) -> bool:
    if node.op != "call_function":
        return node.op in ("placeholder", "output")
    operator = node.target
    if not isinstance(operator, torch._ops.OpOverload) or operator.namespace != "aten":
        return False
    aliased = any(one.alias_info is not None for one in operator._schema.arguments)
    if aliased or operator._schema.is_mutable or not node.users:
        return False
    return not operator.has_kernel_for_dispatch_key(_COMPOSITE) or bool(_stays_whole(operator))
