"""One module a kind of work: how its inputs are prepared and its outputs are finished."""
