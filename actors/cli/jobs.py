"""Makes jobs of the records of an input."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .job import BadInput, Job, is_unicode, one_word
from .template import MISSING, MissingFieldError, Template, field_of, known

if TYPE_CHECKING:
    from .options import RunOptions
    from .records import Record

DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the options say of the fields of an input.

    Args:
        template: Makes the query; None: it is the field ``query``.
        key: The field that tells one record from another; None: a digest of the whole record does.
        keep: The fields that come back; None: all.
        keyed: Does anybody ask for keys?
    """

    template: Template | None = None
    key: str | None = None
    keep: tuple[str, ...] | None = None
    keyed: bool = False

    @classmethod
    def of(cls, options: RunOptions) -> Wanted:
        """What *options* say."""
        template = None if options.query is None else Template(options.query)
        return cls(template, options.key, options.keep, keyed=any((options.out, options.journal, options.key)))


class JobMaker:
    """Makes the jobs of one reading of an input, from its first record on.

    Guarantees: two readings give the same keys.
    """

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._digests: Counter[str] = Counter()
        self._lacking = set(wanted.keep or ())

    def lacking(self) -> list[str]:
        """The fields that have to come back, and that no record had so far."""
        return sorted(self._lacking)

    def job(self, record: Record) -> Job | BadInput:
        """The job that *record* asks for."""
        try:
            return self._job(record.fields)
        except MissingFieldError as error:
            return BadInput(record.where, str(error), lacks=True)
        except ValueError as error:
            return BadInput(record.where, str(error))

    def _job(self, fields: dict[str, Any]) -> Job:
        wanted = self._wanted
        if wanted.template is None:
            query, name = _query(fields), _name(fields)
        else:
            query, name = wanted.template.fill(fields), _loose_name(fields)
            if not query.strip():
                raise ValueError("its query is empty")
        if not is_unicode(query) or not is_unicode(name or ""):
            raise ValueError("half a character (a lone surrogate) stands in a string")
        return Job(query, name=name, tag=fields.get("tag"), key=self._key(fields), fields=self._kept(fields, name))

    def _kept(self, fields: dict[str, Any], name: str | None) -> dict[str, Any]:
        own = {"tag"} if self._wanted.template is not None else {"query", "tag"}
        if name is not None:
            own.add("name")
        names = fields if self._wanted.keep is None else self._wanted.keep
        found = {name: field_of(fields, name) for name in names if name not in own}
        if self._lacking:
            self._lacking -= fields.keys() | {name for name, value in found.items() if value is not MISSING}
        return {name: None if value is MISSING else value for name, value in found.items()}

    def _key(self, fields: dict[str, Any]) -> str:
        if not self._wanted.keyed:
            return ""
        if self._wanted.key is None:
            return self._digest(fields)
        value = field_of(fields, self._wanted.key)
        if value is MISSING:
            raise MissingFieldError(f"no field {self._wanted.key!r} for --key ({known(fields)})")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"the key {self._wanted.key!r} must be a string or a number, not {one_word(value)}")
        key = str(value).strip()
        if not key or not is_unicode(key):
            raise ValueError(f"the key {self._wanted.key!r} is {'no text' if key else 'empty'}")
        return key

    def _digest(self, fields: dict[str, Any]) -> str:
        """Records that are equal are told apart by their order."""
        text = json.dumps(fields, sort_keys=True)
        digest = hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()
        self._digests[digest] += 1
        times = self._digests[digest]
        return digest if times == 1 else f"{digest}-{times}"


def _query(fields: dict[str, Any]) -> str:
    if "query" not in fields:
        raise MissingFieldError(f'"query" is missing ({known(fields)}; --query TEXT makes one of other fields)')
    query = fields["query"]
    if not isinstance(query, str):
        raise ValueError(f'"query" must be a string, not {one_word(query)}')
    if not query.strip():
        raise ValueError('"query" is empty')
    return query


def _name(fields: dict[str, Any]) -> str | None:
    name = fields.get("name")
    if name is not None and not (isinstance(name, str) and name.strip()):
        raise ValueError(f'"name" must be a string that is not empty, not {one_word(name)}')
    return name


def _loose_name(fields: dict[str, Any]) -> str | None:
    """Beside a template, ``name`` may be any field of the input: a word is taken as the agent's name."""
    name = fields.get("name")
    if isinstance(name, bool) or not isinstance(name, str | int | float):
        return None
    return str(name) if str(name).strip() else None
