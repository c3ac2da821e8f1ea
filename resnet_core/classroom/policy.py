"""What anyone may do, decided here and nowhere else: a table of actions and roles, and the quota of trainings.

========  =========================================================================================================
owner     sits at the machine that the app runs on
teacher   has come by the link with the teacher's key
viewer    has come by the other link of a class: looks at everything, answers, trains within a quota
guest     looks from elsewhere while there is no class (``make app HOST=...``)
========  =========================================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from resnet_core.errors import ConfigError, UserError
from resnet_core.language import mark

OWNER, TEACHER, VIEWER, GUEST = "owner", "teacher", "viewer", "guest"
ROLES = (OWNER, TEACHER, VIEWER, GUEST)

#: May do it; with what is theirs; not at all.
YES, OWN, NO = "yes", "own", "no"

#: action -> what the owner, the teacher, a viewer and a guest may.
ACTIONS: dict[str, tuple[str, str, str, str]] = {
    # Looking, and what is computed to be looked at, is open to all: there is no action for it.
    "train": (YES, YES, YES, YES),  # a viewer within a quota, see check_training
    "train again": (YES, YES, NO, YES),  # a training that is there already
    "stop": (YES, YES, OWN, YES),
    "resume": (YES, YES, OWN, YES),
    "rename": (YES, YES, OWN, YES),
    "delete": (YES, YES, OWN, YES),
    "stop computation": (YES, YES, OWN, YES),  # one for which nobody else waits is one's own
    "import": (YES, YES, NO, YES),
    "delete checkpoint": (YES, YES, NO, YES),
    "download": (YES, YES, NO, YES),
    "bring pictures": (YES, YES, NO, YES),
    "upload large files": (YES, YES, NO, YES),
    "name folders": (YES, YES, NO, NO),  # the answers tell what lies on this machine
    "answer": (YES, YES, YES, NO),
    "lead the class": (YES, YES, NO, NO),  # questions, rules, who waits, everybody's answers, the end of it
}

#: action -> what a viewer is told who may not.
_REFUSED = {
    "train again": mark("This training is there already, and in a class one of each is enough. Look at the one that is there."),
    "stop": mark("This training is somebody else's: whoever started it, or the teacher, can stop it."),
    "resume": mark("This training is somebody else's: whoever started it, or the teacher, can let it go on."),
    "rename": mark("This training is somebody else's: whoever started it, or the teacher, can rename it."),
    "delete": mark("This training is somebody else's: whoever started it, or the teacher, can delete it."),
    "stop computation": mark("Others wait for this computation too: the teacher can stop it. It ends by itself when all have left."),
    "import": mark("In a class the teacher alone imports checkpoints."),
    "delete checkpoint": mark("In a class the teacher alone deletes checkpoints."),
    "download": mark("In a class the teacher alone downloads data sets and weights."),
    "bring pictures": mark("In a class the teacher alone brings pictures to train on."),
    "upload large files": mark("In a class only pictures can be brought along. Larger files are the teacher's to upload."),
    "name folders": mark("Folders of the machine that the app runs on can be named there, or by the teacher of a class."),
    "answer": mark("There is no class here to answer in."),
    "lead the class": mark("This is for the teacher: open the link with the teacher's key, which stands in the terminal."),
}


class Refused(UserError):
    """Somebody may not do what they asked for; the message says who may."""


@dataclass(frozen=True)
class Person:
    """Whoever asks.

    Attributes:
        role: one of ``ROLES``.
        id: of a viewer, says nothing of who that is; empty for all others, whose trainings are nobody's in particular.
    """

    role: str
    id: str = ""


@dataclass(frozen=True)
class Rules:
    """What the teacher may change during a class.

    Attributes:
        locked: viewers may not start trainings.
        most_runs: trainings of one viewer that are queued or running at once, 1 to 20; those of one press of a lesson's button are one.
        most_minutes: how long one may take, by the estimate for this machine, above 0 up to 1,440.
    """

    locked: bool = False
    most_runs: int = 1
    most_minutes: float = 10.0

    def __post_init__(self) -> None:
        if not (isinstance(self.most_runs, int) and 1 <= self.most_runs <= 20):
            raise ConfigError("most_runs", mark("a whole number from 1 to 20 is needed."))
        if not 0 < self.most_minutes <= 1440:
            raise ConfigError("most_minutes", mark("a number above 0 and up to 1,440 is needed."))


def permits(person: Person, action: str, own: bool = False) -> bool:
    """Tell whether somebody may do something.

    Args:
        action: one of ``ACTIONS``.
        own: it is done to what is theirs.
    """
    allowed = ACTIONS[action][ROLES.index(person.role)]
    return allowed == YES or (allowed == OWN and own)


def check(person: Person, action: str, own: bool = False) -> None:
    """Raise Refused where ``permits`` says no."""
    if not permits(person, action, own):
        raise Refused(_REFUSED[action])


def check_training(person: Person, rules: Rules, active: int, seconds: Sequence[float | None], together: bool = False) -> None:
    """Hold trainings against the quota; nobody but viewers has one.

    Args:
        active: their trainings that are queued or running; those that were begun together are one.
        seconds: of each that is to begin, how long it will take here; None where that is not known yet.
        together: they are what a lesson trains at one press, and count as one; none of them may take longer than one may.

    Raises:
        Refused: training is locked, they would be too many, or one would take too long.
    """
    check(person, "train")
    if person.role != VIEWER or not seconds:
        return
    if rules.locked:
        raise Refused(mark("The teacher has locked training for now. Everything can still be looked at."))
    new = 1 if together else len(seconds)
    if active + new > rules.most_runs:
        raise Refused(
            mark(
                "The most trainings that one viewer of this class may have queued or running at once: {most}. You have {active}, and this "
                "would add {new}. Wait for yours to end, stop it, or look at what others have trained."
            ),
            most=rules.most_runs,
            active=active,
            new=new,
        )
    if None in seconds:
        raise Refused(mark("How long a training takes on this machine is being measured. Try again in half a minute."))
    longest = max(each for each in seconds if each is not None) / 60
    if longest > rules.most_minutes:
        raise Refused(
            mark(
                "This training would take about {minutes:.0f} minutes here, and in this class one may take {most:g}. "
                "Choose fewer iterations or a smaller net."
            ),
            minutes=longest,
            most=rules.most_minutes,
        )
