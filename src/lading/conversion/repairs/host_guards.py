"""Checks of an input's value that run on the host and raise, kept out of the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lading.conversion.reads import Site, only_guards, watched
from lading.conversion.repairs import Case, Scope, Watching, whereabouts


class HostGuards(Watching):
    """A guard such as ``if t[0].item() > steps: raise ...`` is asked once, then not recorded.

    Algebra. A guard that does not raise computes nothing: whatever number it is shown, as long as
    it lets it pass, the outputs are the same function of the inputs. So the number of the first run
    is shown to it ever after. A graph cannot hold such a guard: `torch.export` stops at it
    (``GuardOnDataDependentSymNode``), `torch.jit.trace` warns that the number becomes a constant.

    That the number goes nowhere else is read from the code: the line must be an ``assert``, or an
    ``if`` without ``else`` whose body ends in ``raise``, or give the number a local name that is
    read in such lines only. Where it goes on into the computation or decides between two ways to
    compute, the repair declines. The proof runs on several inputs, all but the first with the
    number of another: an output that depended on it would show.

    The guard itself is lost on the way: the artifact takes any value.
    """

    name = "host-side guards"
    reason = (
        "a check of an input's value that raises in Python is no part of a graph; it is passed "
        "with the first input's value and proved to touch no output. The artifact does not check"
    )
    idle = "no value is read on the host"

    @contextmanager
    def watched(self, noted: Callable[[], Any]) -> Iterator[None]:
        """See `Watching`: any reading is one that may be a guard."""

        def heard(site: Site, read: Callable[[], Any]) -> Any:
            noted()
            return read()

        with watched(heard):
            yield

    def scope(self, case: Case) -> Scope:
        guards: dict[str, None] = {}
        others: dict[str, None] = {}

        with whereabouts(case.module) as here:

            def noted(site: Site, read: Callable[[], Any]) -> Any:
                if only_guards(*site[:2]):
                    guards.setdefault(here())
                else:
                    others.setdefault(f"{Path(site[0]).name}:{site[1]}")
                return read()

            with watched(noted), torch.no_grad():
                case.module(*case.inputs)
        if guards:
            return Scope(tuple(guards))
        if others:
            where = ", ".join(others)
            return Scope(
                declined=f"a value is read where it may decide more than an error: {where}"
            )
        return Scope(declined=self.idle)

    @contextmanager
    def applied(self, module: nn.Module) -> Iterator[nn.Module]:
        passed: dict[Site, Any] = {}

        def shown(site: Site, read: Callable[[], Any]) -> Any:
            if not only_guards(*site[:2]):
                return read()
            if site not in passed:
                passed[site] = read()
            return passed[site]

        with watched(shown):
            yield module


REPAIR = HostGuards()
