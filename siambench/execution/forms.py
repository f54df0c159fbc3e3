"""The JSON forms of units and records, made when this module is imported: by the server that workers are forked from."""

from __future__ import annotations

from siambench.identity import make_forms
from siambench.interfaces import Done, Failed, Measures
from siambench.spec import Exam, Unit

make_forms(Unit, Exam, Done, Failed, Measures)
