from siambench.board.formats import shipped_formats
from siambench.builtin.formats import siambench_formats
from siambench.components.catalogue import Catalogue
from siambench.interfaces import ColumnView, RowView, TableView

TABLE = TableView(
    title="tiny",
    track="tiny",
    version="1.0",
    command="siambench leaderboard tiny",
    notes="",
    rows=(RowView("triplet+hard", baseline=False, fresh=True, group=1), RowView("raw", baseline=True, fresh=False, group=None)),
    columns=(
        ColumnView("method", "method", "all", ("triplet+hard", "raw"), ("triplet+hard", "raw")),
        ColumnView("map@r", "MAP@R", "all", ({"mean": 0.5, "ci95": 0.1, "n": 3, "classes95": None}, None), ("0.5000", "–")),
    ),
    flat_names=("method", "map@r"),
    flat=({"method": "triplet+hard", "map@r": 0.5}, {"method": "raw", "map@r": None}),
    captions=("A caption.",),
    legend="",
    sections=(),
    document={"track": "tiny", "rows": [{"method": "triplet+hard"}, {"method": "raw"}]},
)


def test_every_format_that_ships_is_registered():
    """The plugin registers what the folder of formats holds, each under its name, with the same function and source."""
    found = siambench_formats()

    assert set(found) == {"csv", "html", "json", "latex", "md", "table"}
    for name, shipped in shipped_formats().items():
        assert (shipped.render, shipped.source) == (found[name].render, found[name].source)
        assert shipped.name == name


def test_formats_stand_in_the_catalogue():
    """Formats are components like any other, of siambench's own plugin."""
    found = Catalogue.load({"SIAMBENCH_PLUGINS": ""}).components("formats")

    assert [component.name for component in found] == ["csv", "html", "json", "latex", "md", "table"]
    assert {component.provenance.plugin for component in found} == {"siambench"}


def test_every_format_writes_a_table_down():
    """Given a table, each format gives text that ends a line and names every row."""
    for name, entry in siambench_formats().items():
        text = entry.render(TABLE)
        assert text.endswith("\n"), name
        assert all(row.name in text for row in TABLE.rows), name
