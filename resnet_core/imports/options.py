"""What the shortcuts of a file may be."""

from __future__ import annotations

#: Option A has no parameters, so no file tells on which side of the old channels it puts the new ones, which are zeros: all of them
#: behind, as here, or half on each side, as akamaster's nets do.
BEHIND, BOTH = "A-behind", "A-both"
#: What is taken for the shortcuts of a file -> the option of the net; plain A is that of a file of ours, which pads behind.
OPTIONS = {"none": "none", "A": "A", BEHIND: "A", BOTH: "A", "B": "B", "C": "C"}
