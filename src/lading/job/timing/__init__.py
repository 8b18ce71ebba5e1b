"""Timing runtimes beside each other: each in a process of its own, in turns of alternating order.

`opening` opens what is timed, `worker` is the process that does the calls, `process` is how it is
asked, `turns` are the order and the figures, `memory` what a process takes, `profile` where the
time goes; `measuring` does it all.
"""
