"""The deadline: a moment, handed down as a value to whatever has to be ready by then. Never an alarm."""

import math
import time
from dataclasses import dataclass

from arckit.errors import InputError

_IMPORTED = time.time()
"""A moment by which this process had certainly started."""


@dataclass(frozen=True)
class Deadline:
    """The moment by which everything has to be done, and what is kept back for the last things.

    By the clock on the wall, not a process's own, so that several processes agree about it.

    Attributes:
        end: seconds since 1970; infinite where there is no limit.
        reserve: seconds before the end that are not to be spent: for the last write, and for surprises.

    Example:
        >>> deadline = Deadline.after(600, reserve=20, start=process_start())
        >>> while deadline.fits(seconds_per_step):
        ...     step()
    """

    end: float
    reserve: float = 0.0

    def __post_init__(self) -> None:
        if math.isnan(self.end):
            raise InputError("deadline: end: found nan, expected seconds since 1970")
        if not 0 <= self.reserve < math.inf:
            raise InputError(f"deadline: reserve: found {self.reserve}, expected seconds, 0 or more")

    @classmethod
    def after(cls, seconds: float, reserve: float | None = None, start: float | None = None) -> "Deadline":
        """So many seconds after `start`, which is now unless given: `process_start()`, for instance.

        The reserve is a second and a twentieth of the time, at most half a minute, unless given.
        """
        if reserve is None:
            reserve = min(30.0, 1.0 + 0.05 * max(0.0, seconds))
        return cls((time.time() if start is None else start) + seconds, reserve)

    @classmethod
    def never(cls) -> "Deadline":
        return cls(math.inf)

    @classmethod
    def parse(cls, text: str) -> "Deadline":
        """Read what `str` wrote: `<end>` or `<end>:<reserve>`, in seconds."""
        end, _, reserve = text.partition(":")
        try:
            return cls(float(end), float(reserve or 0))
        except InputError:
            raise
        except ValueError:
            raise InputError(f"deadline: found {text!r}, expected <end> or <end>:<reserve> in seconds") from None

    def __str__(self) -> str:
        """As one word of a command line, from which `parse` makes an equal deadline."""
        return f"{float(self.end)!r}:{float(self.reserve)!r}"

    def remaining(self) -> float:
        """Seconds that may still be spent, the reserve kept back; negative once they are."""
        return self.end - self.reserve - time.time()

    def passed(self) -> bool:
        return self.remaining() <= 0

    def fits(self, seconds: float) -> bool:
        """Whether something that takes so long would be done in time."""
        return seconds <= self.remaining()


def process_start() -> float:
    """The moment this process started, in seconds since 1970: what a time limit counts from.

    The moment this module was imported, where the system's answer cannot be right: not between the machine's
    start and that import, as in containers that count from their own start, or after the clock was set.
    """
    import psutil

    try:
        started, booted = psutil.Process().create_time(), psutil.boot_time()
    except (psutil.Error, OSError):
        return _IMPORTED
    return started if booted < started <= _IMPORTED else _IMPORTED
