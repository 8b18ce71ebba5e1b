"""What the original answers, and which drawn values it refuses.

A probe that was drawn knows nothing of the network: one that reads a length out of its input may
raise, or give NaN, where every value is padding. Such a probe is set aside and named; where the
original gives NaN everywhere all of them stay, and are judged. The user's own values are not drawn:
where these are refused, he is told.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lading.base.progress import counted
from lading.errors import InputError, LadingError
from lading.interface.side import Side
from lading.network.lines import told
from lading.proof.probes import Probe
from lading.proof.reference import Outputs


def answered(side: Side, drawn: Sequence[Probe]) -> tuple[list[Probe], list[Outputs], list[str]]:
    """The probes that the original runs, its outputs, and in words those that it refuses.

    Raises:
        InputError: one of the user's own is refused, or all are.
    """
    ran, outputs, aside = list[Probe](), list[Outputs](), list[str]()
    for probe in counted(drawn, "probes"):
        try:
            found = side.run(probe.inputs)
        except LadingError:
            raise
        except Exception as error:  # the code of anybody's network
            if probe.kind == "data":
                raise InputError(
                    f"--data {probe.source}",
                    found=f"the original refuses it: {told(error)}",
                    expected="values on which the original runs",
                    remedy="correct the values, or leave them out",
                ) from error
            aside.append(f"probe {probe.name} set aside, the original refuses it: {told(error)}")
            continue
        ran.append(probe)
        outputs.append(found)
    nothing = [place for place, found in enumerate(outputs) if _no_number(found)]
    for place in reversed(nothing if len(nothing) < len(ran) else ()):
        if ran[place].kind != "data":
            aside.append(f"probe {ran[place].name} set aside, the original itself gives NaN there")
            del ran[place], outputs[place]
    if drawn and not ran:
        raise InputError(
            "every probe that is drawn",
            found=aside[0],
            expected="values on which the original runs",
            remedy="say the range of the inputs, e.g. --input x:float32[1,3]@0..1, or give values "
            "of your own: --data FILE.npz",
        )
    return ran, outputs, aside


def _no_number(outputs: Outputs) -> bool:
    return any(bool(np.isnan(one).any()) for one in outputs.values() if one.dtype.kind == "f")
