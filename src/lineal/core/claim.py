"""What somebody says of things that nobody here has seen: commits by their ids, data by its address.

There are no bytes to be known by, so the identity is that of the statement: whoever says the same says one thing.
"""

from collections.abc import Sequence

from lineal.core import canonical
from lineal.core.digest import Digest
from lineal.core.observation import Node
from lineal.core.ref import is_one_word


def claimed_code(name: str, commit: str, repository: str | None) -> Node:
    """Return `commit` as a version of the code `name`, by the word of whoever named it.

    `name` is spelled as a recorded name, `repository` is its address without credentials, None where that is not said.
    """
    document = {"commit": commit, "repository": repository}
    digest = Digest.of(canonical.encode(document))
    aliases = (commit,) if repository is None else (commit, f"{repository}@{commit}")
    return Node(
        ref=f"code:{name}@{digest}",
        basis="claimed",
        version=commit if commit.isalnum() else None,
        digest=digest,
        detail=document,
        aliases=tuple(each for each in aliases if is_one_word(each)),
    )


def claimed_address(artifact: str, address: str, aliases: Sequence[str], *, word: str = "uri") -> Node:
    """Return a version of `artifact` of which nothing but its `address` is known, told under `word`.

    It says ``fixed: false``: other bytes can be there now.
    """
    digest = Digest.of(canonical.encode({"uri": address}))
    return Node(
        ref=f"{artifact}@{digest}",
        basis="claimed",
        digest=digest,
        detail={word: address, "fixed": False, "basis_of_identity": "address"},
        aliases=tuple(dict.fromkeys(aliases)),
    )
