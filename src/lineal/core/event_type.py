"""Types of events that several floors say or look for: a source and a command mean the same by them."""

from typing import Final

STARTED: Final = "run.started/1"
FINISHED: Final = "run.finished/1"
REGISTERED: Final = "model.registered/1"
APPROVED: Final = "model.approved/1"
REJECTED: Final = "model.rejected/1"
DEPLOYED: Final = "endpoint.deployed/1"
RETIRED: Final = "endpoint.retired/1"
