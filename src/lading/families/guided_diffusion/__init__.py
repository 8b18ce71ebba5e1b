"""The diffusion UNets of improved-diffusion and guided-diffusion, and what was made from them.

`network` is the network.
"""
