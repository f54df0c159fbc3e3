"""Table → pictures: what a leaderboard shows, each figure by its name. A figure for which records hold no data says so, and is left out."""

from siambench.board.pictures.kinds import KINDS, Kind, Left, drawn, pictures_of, selected

__all__ = ["KINDS", "Kind", "Left", "drawn", "pictures_of", "selected"]
