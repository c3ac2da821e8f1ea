"""Class: the teacher asks, the class answers, all see what came of it. In the navigation only where the app was started for a class."""

from __future__ import annotations

from pages.class_.lead import teachers_page
from pages.class_.viewer import viewers_page
from pages.ui.permitted import may


def main() -> None:
    """Draw what whoever looks may see."""
    if may("lead the class"):
        teachers_page()
    else:
        viewers_page()


main()
