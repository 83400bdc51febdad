"""The one hierarchy of errors.

Every class has a stable ``code``, an exit status inherited from its branch, and one ``fix`` to try. A message says
what was wrong and what was not done; the fix says what to type or change next.
"""

from typing import ClassVar


class LinealError(Exception):
    """Something Lineal could not do. Read the message, then the fix."""

    code: ClassVar[str] = "lineal"
    exit_status: ClassVar[int] = 1
    fix: ClassVar[str] = "Read the message; `lineal COMMAND --help` shows examples."

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = fix if fix is not None else type(self).fix


class UsageError(LinealError):
    """The request cannot be carried out as written; nothing was read or changed."""

    code = "usage"
    exit_status = 2


class BadDigest(UsageError):
    """The text is not a digest in its one canonical spelling."""

    code = "usage.bad_digest"
    fix = "Write sha256: and 64 lowercase hexadecimal digits."


class BadRef(UsageError):
    """The text is not a reference that Lineal can read."""

    code = "usage.bad_ref"
    fix = "Write kind:name, kind:name@version or run:ID; `lineal ls` lists what is recorded."


class UnknownRef(UsageError):
    """The reference names nothing in this ledger."""

    code = "usage.unknown_ref"
    fix = "`lineal ls` lists what is recorded."


class AmbiguousRef(UsageError):
    """The reference names more than one thing."""

    code = "usage.ambiguous_ref"
    fix = "Give more digits of the digest, or the full reference."


class BadTime(UsageError):
    """The text is not a moment in time that Lineal can read."""

    code = "usage.bad_time"
    fix = "Write 2026-03-03T14:05:00Z, 2026-03-03 14:05, 2026-03-03 or a span such as 2h ago."


class BadInput(UsageError):
    """A file or value given to Lineal cannot be used as it is."""

    code = "usage.bad_input"
    fix = "Correct the file or value named in the message and run the command again."


class NotALedger(UsageError):
    """There is no ledger at the place named, nor in any folder above."""

    code = "usage.not_a_ledger"
    fix = "`lineal init` makes one here; `--ledger PATH` names another."


class AlreadyExists(UsageError):
    """What was to be created exists already."""

    code = "usage.already_exists"
    fix = "Choose another name or place, or use what is there."


class NewerFormat(UsageError):
    """The ledger was written by a newer Lineal; nothing was read or changed."""

    code = "usage.newer_format"
    fix = "Upgrade lineal: `pip install --upgrade lineal`."


class Refused(UsageError):
    """A rule of the house forbids the request; nothing was changed."""

    code = "usage.refused"
    fix = "Ask someone whom the rule allows."


class NotCanonical(UsageError):
    """A value cannot be written in the canonical encoding."""

    code = "usage.not_canonical"
    fix = "Use text, integers below 2^53, true, false, null, lists and objects; write decimals as text."


class TooLarge(UsageError):
    """A value is over the size that the ledger takes; nothing was recorded."""

    code = "usage.too_large"
    fix = "Store large content as an object (`lineal snapshot`) and refer to it by digest."


class CheckFailed(LinealError):
    """A check ran to its end and found a failure."""

    code = "check.failed"
    exit_status = 1
    fix = "The rows marked as missing name the command that fills them."


class DemoFailed(LinealError):
    """A step of the demo did not end as it must; what it printed says why."""

    code = "demo.failed"
    fix = "Read what the step printed, and run the demo again in a new folder."


class IntegrityError(LinealError):
    """A digest, signature or proof does not hold. Nothing was repaired, hidden or deleted."""

    code = "integrity"
    exit_status = 10
    fix = "Keep the ledger as it is, copy it for the investigation, and run `lineal verify`."


class DigestMismatch(IntegrityError):
    """Stored bytes do not have the digest under which they are recorded."""

    code = "integrity.digest_mismatch"


class Malformed(IntegrityError):
    """Bytes of a log (tile, bundle, note, checkpoint) are not in the one form that their format allows."""

    code = "integrity.malformed"


class BadManifest(IntegrityError):
    """A stored manifest is not in its one canonical form, or names paths outside its dataset."""

    code = "integrity.bad_manifest"


class BadSignature(IntegrityError):
    """A signature does not verify with the key expected."""

    code = "integrity.bad_signature"


class BadProof(IntegrityError):
    """An inclusion or consistency proof does not hold."""

    code = "integrity.bad_proof"


class InconsistentStore(IntegrityError):
    """The signed checkpoint and the stored entries contradict each other."""

    code = "integrity.inconsistent_store"


class EventConflict(IntegrityError):
    """A producer sent two different events under one identifier; the first stands, the second was not recorded."""

    code = "integrity.event_conflict"


class StoreError(LinealError):
    """The database, disk or object store did not do what was asked; nothing acknowledged is lost."""

    code = "store"
    exit_status = 11
    fix = "Check the disk, permissions and connection, then run the command again: re-running is safe."


class StoreUnavailable(StoreError):
    """The store could not be reached or opened."""

    code = "store.unavailable"


class StoreFull(StoreError):
    """There is no space left; the write was not acknowledged."""

    code = "store.full"
    fix = "Free some space and run the command again: re-running is safe."


class ReadOnlyStore(StoreError):
    """The store refuses writing; nothing was recorded."""

    code = "store.read_only"
    fix = "Give yourself permission to write to the ledger, or copy it and use the copy."


class ClaimTaken(StoreError):
    """Another event holds the name that this one claims; nothing was recorded."""

    code = "store.claim_taken"
    fix = "Run the command again: it will take the next free number."


class ObjectMissing(StoreError):
    """No object with this digest is in the store."""

    code = "store.object_missing"
    fix = "Restore it from a backup, or from where it came from, by its digest."


class ObjectChanged(StoreError):
    """A file changed while it was being read; no digest was recorded for it."""

    code = "store.object_changed"
    fix = "Wait until nobody writes to the file and run the command again."


class SourceError(LinealError):
    """A source of observations refused or failed."""

    code = "source"
    exit_status = 12
    fix = "Check the source named in the message, then run the command again."


class SourceDenied(SourceError):
    """A source refused what was asked of it; nothing was recorded."""

    code = "source.denied"
    fix = "Ask for the permission named in the message; docs/sources lists what each source needs."


class NotServing(SourceError):
    """A server that was to be deployed did not start, or does not answer; nothing was recorded."""

    code = "source.not_serving"
    fix = "Start the server by hand to see what it lacks, then deploy again."


class ReproductionDiffers(LinealError):
    """The model was made again and is not the same."""

    code = "reproduce.differs"
    exit_status = 13
    fix = "Read the report for the first step that differs."
