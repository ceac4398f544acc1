"""The scan: lists the secrets, reads many in parallel, and judges each."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from secret_replication.errors import (
    DeadlineError,
    ReplicationError,
    SecretNotFoundError,
    ThrottledError,
    UnavailableError,
)
from secret_replication.model import ReplicaState, SecretArn

from .judge import deleted, has_replicas, judge, not_listed, not_read, to_ask
from .model import Entry, Finding, InRegion, Rules, Secret
from .ports import Secrets

THREADS = 8
# Secrets that are being read or waiting to be: this limits a scan's memory, however many secrets there are.
_WINDOW = 4 * THREADS
# After so many failures in a row, a Region is not asked again in this scan: each one takes seconds.
_GIVE_UP = 3


class Scan:
    """Checks every replicated secret of a Region once.

    Args:
        aws: Secrets Manager.
        region: where the primaries are.
        rules: how to judge.
        now: gives epoch seconds.
        name_prefix: only secrets whose names start with this.
        tags: only secrets with these tags.
        has_time: whether time is left to read more secrets.

    ``checked``: how many secrets were judged so far.
    """

    def __init__(
        self,
        aws: Secrets,
        region: str,
        rules: Rules,
        now: Callable[[], float],
        *,
        name_prefix: str = "",
        tags: Mapping[str, str] | None = None,
        has_time: Callable[[], bool] = lambda: True,
    ) -> None:
        self._aws, self._region, self._rules, self._now = aws, region, rules, now
        self._name_prefix, self._tags, self._has_time = name_prefix, tags or {}, has_time
        self._silent: Counter[str] = Counter()
        self.checked = 0

    def run(self) -> Iterator[Sequence[Finding]]:
        """The findings, secret by secret, in the order of the list. What cannot be checked is also a finding."""
        waiting: deque[Future[Sequence[Finding]]] = deque()
        unlisted: list[Finding] = []
        pool = ThreadPoolExecutor(THREADS)
        try:
            try:
                for entry in self._entries():
                    waiting.append(pool.submit(self._check, entry))
                    if len(waiting) >= _WINDOW:
                        yield self._counted(waiting.popleft())
            except ReplicationError as error:
                unlisted.append(not_listed(error))
            while waiting:
                yield self._counted(waiting.popleft())
        finally:
            # What is still there if the caller wants no more, such as after Ctrl-C.
            pool.shutdown(wait=False, cancel_futures=True)
        if unlisted:
            yield unlisted

    def _counted(self, future: Future[Sequence[Finding]]) -> Sequence[Finding]:
        findings = future.result()
        # A finding without a Region is about a secret that could not be read.
        self.checked += any(finding.region for finding in findings)
        return findings

    def _entries(self) -> Iterator[Entry]:
        """The listed secrets that concern us.

        AWS filters by the key of one tag; the keys and values of all wanted tags are compared here. Each page has the
        token of the next, so if one page fails, nothing after it can be listed.
        """
        for page in self._aws.pages(self._name_prefix, next(iter(self._tags), "")):
            for entry in page:
                if not self._has_time():
                    raise DeadlineError(f"time ran out before {entry.arn} was checked")
                wanted = self._tags.items() <= entry.tags.items()
                if wanted and has_replicas(entry.primary_region, self._region, entry.tags):
                    yield entry

    def _check(self, entry: Entry) -> Sequence[Finding]:
        name, arn = entry.arn.resource.rpartition("-")[0], str(entry.arn)
        try:
            secret = self._read(entry.arn)
            in_region = {region: self._ask(secret, region) for region in to_ask(secret, self._rules)}
        except SecretNotFoundError:
            return [deleted(name, arn)]
        except ReplicationError as error:
            return [not_read(name, arn, str(error))]
        return judge(secret, in_region, self._now(), self._rules)

    def _ask(self, primary: Secret, region: str) -> InRegion:
        try:
            found = self._read(primary.arn.in_region(region))
        except SecretNotFoundError:
            return InRegion(ReplicaState.GONE)
        except ReplicationError as error:
            return InRegion(ReplicaState.UNKNOWN, reason=str(error))
        if found.primary_region in ("", region):
            going = "is scheduled for deletion" if found.deleted else ""
            return InRegion(ReplicaState.STANDALONE, found.changed, going)
        if found.primary_region != primary.arn.region:
            reason = f"its Region has a replica of the primary in {found.primary_region}"
            return InRegion(ReplicaState.GONE, reason=reason)
        return InRegion(ReplicaState.REPLICA, found.changed)

    def _read(self, arn: SecretArn) -> Secret:
        if self._silent[arn.region] >= _GIVE_UP:
            raise UnavailableError(f"{arn.region} did not respond {_GIVE_UP} times in a row, and was not asked again")
        try:
            found = self._aws.read(arn)
        except UnavailableError as error:
            # A Region that throttles calls does respond.
            self._silent[arn.region] += not isinstance(error, ThrottledError)
            raise
        except ReplicationError:
            self._silent[arn.region] = 0
            raise
        self._silent[arn.region] = 0
        return found
