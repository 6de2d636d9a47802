"""Labels: the words that tables use in their cells and as column names.

Imports nothing, because the Snakefile may import it.
"""

#: The columns of a box, in every table.
BOX = ["x_px", "y_px", "width_px", "height_px"]


#: The method whose effects are those of the codec alone: decoded and encoded like the others, with no mask.
CONTROL = "reencode"

#: The condition of every video together.
ALL = "all"

#: In the column ``angle``: the mean over the joint angles that a video has, and what concerns the whole person.
JOINT_MEAN, BODY = "joints", "body"

SIGNALS = ("unfiltered", "filtered")
BASES = ("raw", "net")
