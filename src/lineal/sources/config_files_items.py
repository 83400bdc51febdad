"""What the files of a root say, as configuration items: objects of Kubernetes, charts, states, documents, mere bytes.

A file that is not what its name says is a gap, and is remembered as not read: what it held before is not gone. Where
two files define one thing, neither is recorded.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lineal.core import canonical
from lineal.core.config_item import ConfigItem
from lineal.core.digest import Digest
from lineal.core.observation import Gap
from lineal.core.path import spell
from lineal.core.plain import plain
from lineal.core.redaction import MARK, clean
from lineal.core.resource import make_resource
from lineal.errors import BadInput, NotCanonical
from lineal.sources import helm_chart, kubernetes_manifest, terraform_state
from lineal.sources.config_files import FoundFile, Unread
from lineal.sources.config_files_text import decode, read_document
from lineal.sources.kubernetes_manifest import Cluster

AS: Final = ("kubernetes", "helm", "terraform", "file")
"""What files can be taken for, whatever they look like."""

_MOST_BYTES: Final = 8 << 20
_LOGINS: Final = frozenset({"auth", "_auth", "_authToken", "identitytoken", "registrytoken"})  # Docker, npm
_SECRET: Final = re.compile(r"pass|pwd|secret|token|cred|auth|dsn|private|salt|(?:^|[_.-])key", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the files of a root are read: `taken` is one of `AS` or empty, `root` the name that its items stand under.

    `cluster` and `namespace` are those of manifests that do not say them. `is_secret` says of a path whether the file
    is one that holds secrets, of which nothing is recorded but that it is there.
    """

    root: str
    taken: str = ""
    cluster: str = "default"
    namespace: str = "default"
    is_secret: Callable[[bytes], bool] = lambda _path: False


@dataclass(slots=True)
class Reading:
    """What one look at a root saw: `items` by key, `gaps`, and what must not be said to be gone.

    `unread` are paths of files that were not understood (one with a slash at its end, or the empty one: everything
    below it); `doubtful` keys of what two files define; `count` is how many files were read.
    """

    items: dict[str, ConfigItem] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    unread: set[bytes] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)
    count: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every file was read and understood, and nothing is defined twice."""
        return not self.unread and not self.doubtful


def read_files(found: Iterable[FoundFile | Unread], options: Options, at: str) -> Reading:
    """Return what the files say, seen at the moment `at`; nothing is raised for what they hold."""
    reading = Reading()
    files: list[FoundFile] = []
    for each in found:
        if isinstance(each, Unread):
            reading.unread.add(each.path)
            reading.gaps.append(each.gap)
        else:
            files.append(each)
    charts = helm_chart.folders_of(file.path for file in files) if options.taken in ("", "helm") else frozenset()
    reading.count = len(files)
    taker = _Taker(reading, options, charts, at)
    taker.parse(files)
    taker.take()
    return reading


class _Taker:
    """Makes items of files: first every document is parsed, since definitions in one say what others mean."""

    def __init__(self, reading: Reading, options: Options, charts: frozenset[bytes], at: str) -> None:
        self._reading, self._options, self._charts, self._at = reading, options, charts, at
        self._parsed: list[tuple[FoundFile, str, list[Any]]] = []
        self._from: dict[str, list[str]] = {}

    def parse(self, files: list[FoundFile]) -> None:
        """Read every file that is a document; what is none is said to be mere bytes."""
        templates: dict[bytes, int] = {}
        for file in files:
            part = helm_chart.part_of(file.path, self._charts)
            if part == "template":
                folder = max((each for each in self._charts if file.path.startswith(each)), key=len)
                templates[folder] = templates.get(folder, 0) + 1
            if not file.kind or file.target is not None or part == "template":
                self._parsed.append((file, "bytes", []))
                continue
            try:
                documents = read_document(file.kind, decode(file.data))
                self._parsed.append((replace(file, data=b""), part, documents))
            except BadInput as error:
                if file.path.lower().endswith(b".cfg"):  # an ending that others than INI files have, too
                    self._parsed.append((file, "bytes", []))
                else:
                    self._fail(file, "files.malformed", error.message)
        for folder, count in templates.items():
            told = f"{count} templates of the chart are not rendered; `helm template` writes what they make"
            self._reading.gaps.append(Gap("files.templates", told, spell(folder + helm_chart.CHART)))

    def take(self) -> None:
        """Make the items of everything that was parsed."""
        objects = (
            each
            for _, part, documents in self._parsed
            if part == ""
            for document in documents
            if kubernetes_manifest.is_object(document)
            for each in _objects(document)
        )
        cluster = Cluster(
            name=self._options.cluster,
            namespace=self._options.namespace,
            scopes=kubernetes_manifest.scopes_of(objects),
        )
        for file, part, documents in self._parsed:
            try:
                made = list(self._items(file, part, documents, cluster))
            except BadInput as error:
                self._fail(file, "files.malformed", error.message)
                continue
            for item in made:
                if isinstance(item, Gap):
                    self._reading.unread.add(file.path)
                    self._reading.gaps.append(item)
                else:
                    self._add(file, item)
        for key in sorted(self._reading.doubtful):
            places = self._from[key]
            shown = ", ".join(places[:3]) + (" …" if len(places) > 3 else "")
            told = f"it is defined {len(places)} times ({shown}): none of them is recorded"
            self._reading.gaps.append(Gap("files.twice", told, key))

    def _items(self, file: FoundFile, part: str, documents: list[Any], cluster: Cluster) -> Iterator[ConfigItem | Gap]:
        taken, root = self._options.taken, self._options.root
        if part == "bytes":
            yield self._bytes(file)
        elif part == "chart" or (taken == "helm" and file.path.endswith(helm_chart.CHART)):
            yield helm_chart.read_chart(_only(documents), root, file.name, self._at)
        elif part == "values" or (taken == "helm" and helm_chart.is_values(file.path)):
            yield helm_chart.read_values(_only(documents), root, file.name, self._at)
        elif taken == "terraform" or (taken == "" and len(documents) == 1 and terraform_state.is_state(documents[0])):
            yield from terraform_state.read_state(_only(documents), root, file.name, self._at)
        elif taken == "kubernetes" or (taken == "" and any(map(kubernetes_manifest.is_object, documents))):
            yield from self._objects(file, documents, cluster)
        else:
            yield self._document(file, documents)

    def _objects(self, file: FoundFile, documents: list[Any], cluster: Cluster) -> Iterator[ConfigItem | Gap]:
        for document in documents:
            if not kubernetes_manifest.is_object(document):
                yield Gap("files.no_object", "a document among manifests is no object of Kubernetes", file.name)
                continue
            for each in kubernetes_manifest.objects_in(document):
                try:
                    yield kubernetes_manifest.read_object(each, cluster, self._at)
                except BadInput as error:
                    yield Gap("files.malformed", error.message, file.name)

    def _document(self, file: FoundFile, documents: list[Any]) -> ConfigItem:
        """Return a file as the document it is; what is not one table stands under ``documents``."""
        if any(terraform_state.is_state(each) or terraform_state.is_plan(each) for each in documents):
            raise BadInput("it holds the values of a Terraform state in the clear; collect the state as what it is")
        documents = [_hide(each) for each in documents]
        one = documents[0] if len(documents) == 1 else None
        said = one if isinstance(one, dict) else {"documents": documents}
        if file.kind in ("env", "properties"):  # where secrets are kept under names of all sorts
            said = {key: MARK if value and _SECRET.search(key) else value for key, value in said.items()}
        return self._file(file, file.kind, plain(said))

    def _bytes(self, file: FoundFile) -> ConfigItem:
        if file.target is not None:
            return self._file(file, "link", {"target": spell(file.target)})
        if self._options.is_secret(file.path):
            return self._file(file, "secret", {"present": file.size > 0})
        digest = str(Digest.of(file.data)) if file.kind else file.digest
        return self._file(file, "bytes", {"digest": digest, "size": file.size})

    def _file(self, file: FoundFile, kind: str, said: Mapping[str, Any]) -> ConfigItem:
        resource = make_resource(f"File::{kind}", self._options.root, "", file.name)
        return ConfigItem(resource=resource, time=self._at, source="files", shape="file", configuration=dict(said))

    def _add(self, file: FoundFile, item: ConfigItem) -> None:
        key = item.resource.key
        if key in self._reading.doubtful or key in self._reading.items:
            self._from[key].append(file.name)
            self._reading.items.pop(key, None)
            self._reading.doubtful.add(key)
            return
        said = replace(item, extra={**item.extra, "root": self._options.root, "path": file.name})
        try:
            size = len(canonical.encode(said.describe()))
        except NotCanonical as error:
            self._fail(file, "files.malformed", error.message)
            return
        if size > _MOST_BYTES:
            self._fail(file, "files.too_large", f"{item.resource.name[:200]} would take {size} bytes on record")
            return
        self._from[key] = [file.name]
        self._reading.items[key] = said

    def _fail(self, file: FoundFile, code: str, told: str) -> None:
        self._reading.unread.add(file.path)
        self._reading.gaps.append(_gap(code, told, file.name))


def _gap(code: str, told: str, about: str) -> Gap:
    if code == "files.too_large":
        return Gap("files.too_large", told, about)
    return Gap("files.malformed", f"it is not what its name says: {clean(told)}", about)


def _hide(value: Any) -> Any:
    """Return a document without what only those who wrote it know to be secret: logins of registries, ``Secret``."""
    if isinstance(value, list):
        return [_hide(each) for each in value]
    if not isinstance(value, dict):
        return value
    is_secret = value.get("kind") == "Secret"
    return {
        key: kubernetes_manifest.hide(each)
        if is_secret and key in ("data", "stringData")
        else MARK
        if isinstance(each, str) and each and (key in _LOGINS or key == kubernetes_manifest.LAST_APPLIED)
        else _hide(each)
        for key, each in value.items()
    }


def _objects(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    try:
        yield from kubernetes_manifest.objects_in(document)
    except BadInput:
        return  # said when the file itself is taken


def _only(documents: list[Any]) -> Any:
    if len(documents) != 1:
        raise BadInput(f"it holds {len(documents)} documents where one belongs")
    return documents[0]
