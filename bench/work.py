"""The four kinds of work that sweeps are measured by, as our client does them and as a script for others.

W1 logs in and runs one command.  W2 asks the 41 probes of the product that look at the host itself, among
them two small files, in one script.  W3 brings home a log of 20 MB besides, W4 only 2 MB of it: where the
agent last started, and the end.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.synthetic import MEGABYTE
from collector.collect import CollectOptions
from collector.probes.choice import Choice
from collector.probes.compile import compile_script, new_nonce
from collector.probes.linux import LINUX
from collector.probes.model import Lane

REGION = "eu-central-1"
HELLO = b"echo ok\n"
_PACKS = b"have gzip && PACK=gzip\n"
_TAIL = 2 * MEGABYTE * 4 // 3
"""The budget of which 2 MB are taken from one log: three quarters, so that no log starves the others."""


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of work, the same for every host."""

    name: str
    what: str
    lanes: tuple[Lane, ...]
    """Of the probes that are asked; none: only ``HELLO``."""
    log_budget: int | None = 0
    """Bytes of the log; ``None``: all of it."""

    @property
    def options(self) -> CollectOptions:
        """The same for our engine."""
        return CollectOptions(tool="bench", log_budget=self.log_budget, choice=self._choice)

    @property
    def has_log(self) -> bool:
        """Whether the log comes home, or some of it."""
        return Lane.LOG in self.lanes

    def script(self, *, packed: bool) -> bytes:
        """What our engine would send, for another client to send.

        Args:
            packed: whether the answer is packed on the host, as ours is.
        """
        if not self.lanes:
            return HELLO
        script = compile_script(
            self._choice.of(LINUX), nonce=new_nonce(), region=REGION, log_budget=self.log_budget
        )
        if packed:
            return script
        assert script.count(_PACKS) == 1, "the script packs in another way than this bench knows"
        return script.replace(_PACKS, b"")

    @property
    def _choice(self) -> Choice:
        return Choice(only=frozenset(lane.value for lane in self.lanes))


WORKS = {
    work.name: work
    for work in (
        Work("W1", "log in and run one command", ()),
        Work("W2", "41 probes, two small files among them", (Lane.LOCAL,)),
        Work("W3", "W2 and a log of 20 MB in full", (Lane.LOCAL, Lane.LOG), None),
        Work("W4", "W2 and 2 MB of that log", (Lane.LOCAL, Lane.LOG), _TAIL),
    )
}
