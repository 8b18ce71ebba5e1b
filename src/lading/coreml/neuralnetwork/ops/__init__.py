"""What layers compute that no operation of ML Programs does, as operations beside them.

Most are there because a layer's meaning depends on the rank of its input, which the file leaves
open. See `lading.coreml.mil.registry` for how they are found and what their signatures say.
"""
