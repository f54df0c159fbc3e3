"""The shapes in which components meet, and the frozen values that strangers see: outcomes, events, tables.

Arrays of a data set are numpy, all that is trained or scored is torch.
"""

from siambench.interfaces._components import (
    Dataset,
    Engine,
    Episodes,
    Finished,
    Indices,
    Loss,
    Lost,
    Mined,
    Miner,
    OfficialPairs,
    Place,
    Sampler,
    SortedTriplets,
)
from siambench.interfaces._evaluation import Evaluation, Neighbours
from siambench.interfaces._events import EpochEnded, Observer, UnitEnded, UnitStarted
from siambench.interfaces._measures import Diagnosis, Finding, Measures, PartMeasures, Quantiles, Severity
from siambench.interfaces._outcomes import Done, Epoch, Failed, Outcome
from siambench.interfaces._sides import LARGEST_VOCABULARY, ReadItems, Side, joined_read, joined_shape
from siambench.interfaces._tables import Cell, ColumnView, CommandView, DetailView, FigureView, RowView, SectionView, TableView

__all__ = [
    "LARGEST_VOCABULARY",
    "Cell",
    "ColumnView",
    "CommandView",
    "Dataset",
    "DetailView",
    "Diagnosis",
    "Done",
    "Engine",
    "Episodes",
    "Epoch",
    "EpochEnded",
    "Evaluation",
    "Failed",
    "FigureView",
    "Finding",
    "Finished",
    "Indices",
    "Loss",
    "Lost",
    "Measures",
    "Mined",
    "Miner",
    "Neighbours",
    "Observer",
    "OfficialPairs",
    "Outcome",
    "PartMeasures",
    "Place",
    "Quantiles",
    "ReadItems",
    "RowView",
    "Sampler",
    "SectionView",
    "Severity",
    "Side",
    "SortedTriplets",
    "TableView",
    "UnitEnded",
    "UnitStarted",
    "joined_read",
    "joined_shape",
]
