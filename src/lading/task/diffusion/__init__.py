"""Sampling from a diffusion network, in numpy: schedules, samplers, and one source of noise.

`schedule` says how noise grows over the steps, `samplers` walk back from noise to a picture by
calling any network (`model(x, t) -> array`), and `noise` draws the same numbers everywhere.
"""
