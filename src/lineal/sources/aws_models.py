"""The models of AWS's services, which botocore reads anew for every session: read once for all of a process."""

from typing import Any, Final

# What reads the models of the services, by the folders of models that a configuration adds to botocore's own.
_MODELS: Final[dict[str | None, Any]] = {}


def share_models(session: Any) -> Any:
    """Return a new boto3 session, which takes what it reads of the services from the sessions before it.

    botocore parses its models once for each session, SageMaker's five megabytes too; a look at several accounts and
    regions, and one that comes again and again, opens many. Where a profile names models of its own, they are its own.
    """
    held = session._session
    read = _MODELS.setdefault(held.get_config_variable("data_path"), held.get_component("data_loader"))
    held.register_component("data_loader", read)
    return session
