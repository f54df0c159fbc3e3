"""What of a track's rules is a component: its augmentations, optimiser, schedule and split rule, looked up, with their options resolved."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from siambench.components.catalogue import Catalogue, check_options
from siambench.components.component import Component
from siambench.components.roles import AUGMENTATION, OPTIMISER, SCHEDULE, SPLIT_RULE
from siambench.data.forms import AUGMENT_OF_FORM, UNCLASSED_RULES
from siambench.errors import ConfigError
from siambench.plugin import call_factory
from siambench.records.selection import ANNEALS
from siambench.spaces import Params, Value
from siambench.spec import Form, Source
from siambench.tracks.rules import AugmentRules, Track
from siambench.tracks.training_rules import TrainingRules

if TYPE_CHECKING:
    from siambench.interfaces import Dataset

_OWN = "siambench"


@dataclass(frozen=True)
class RuleParts:
    """The components that rules name, beside data set, backbone and metrics.

    Args:
        sources: the code of each, by its role; none for an optimiser, a schedule or a split rule that ships.
        training: options of optimiser and schedule, as ``optimiser.NAME`` and ``schedule.NAME``.
        rules: of training, with all options.
        augment: of each augmentation all options, by its name.
        takes: the forms of items that each of them takes.
    """

    sources: Mapping[str, Source]
    training: Params
    rules: TrainingRules
    augment: Mapping[str, Params]
    takes: Mapping[str, tuple[Form, ...]]

    def augmenting(self, track: Track, component: Component, dataset: Dataset) -> dict[str, Any]:
        """The track's rules of augmentation, else the data set's own, for the form of its items.

        Args:
            track: the rules.
            component: the data set's.
            dataset: what is cut.

        Raises:
            ConfigError: if a rule is for items of another form, or the data set's own do not hold.
        """
        for name, forms in self.takes.items():
            if dataset.form not in forms:
                what = "of two sides" if dataset.sides else dataset.form
                raise ConfigError(f"augment.{name} is for {' and '.join(forms)}, the items of the data set are {what}")
        forms = tuple(dict.fromkeys(side.form for side in dataset.sides)) or (dataset.form,)
        if track.augment is not None:
            return {**track.augment.of_form(*forms), **self.augment}
        rules = _suggested(component)
        # A table may list images or texts: of its augmentation, what is for the others is left out.
        suiting = rules.model_copy(update={name: AugmentRules.model_fields[name].default for name in _strange(forms)})
        return {**suiting.of_form(*forms), **self.augment}


def rule_parts(track: Track, dataset: Component, catalogue: Catalogue) -> RuleParts:
    """Look up what rules name.

    Args:
        track: the rules.
        dataset: the component of the data set, whose augmentation counts where the track says nothing.
        catalogue: what is installed.

    Raises:
        UnknownNameError: if nothing provides one.
        ConfigError: if one has no such option, or stops early under a schedule that anneals.
    """
    training = track.training
    optimiser, schedule = catalogue.get("optimisers", training.optimiser), catalogue.get("schedules", training.schedule)
    options = {
        OPTIMISER: _resolved(optimiser, training.optimiser, training.optimiser_options),
        SCHEDULE: _resolved(schedule, training.schedule, training.schedule_options),
    }
    rules = training.model_copy(update={f"{part}_options": found for part, found in options.items()})
    params: dict[str, Value] = {f"{part}.{name}": value for part, found in options.items() for name, value in found.items()}
    sources = {role: one.source for role, one in ((OPTIMISER, optimiser), (SCHEDULE, schedule)) if one.provenance.plugin != _OWN}
    if schedule.entry.anneals and SCHEDULE in sources:
        if training.early_stopping:
            raise ConfigError(f"training: early_stopping is for schedules that do not anneal: under {schedule.name} the last epoch decides")
        params[ANNEALS] = True
    if track.split.rule not in UNCLASSED_RULES:
        rule = catalogue.get("split_rules", track.split.rule)
        sources |= {} if rule.provenance.plugin == _OWN else {SPLIT_RULE: rule.source}
    asked = (_suggested(dataset) if track.augment is None else track.augment).further
    further = {name: catalogue.get("augmentations", name) for name in asked}
    sources |= {f"{AUGMENTATION}{name}": one.source for name, one in further.items()}
    augment = {name: _resolved(one, name, asked[name]) for name, one in further.items()}
    _try_own(training.optimiser, optimiser, options[OPTIMISER], [(one, augment[name]) for name, one in further.items()])
    return RuleParts(sources, params, rules, augment, {name: one.entry.takes for name, one in further.items()})


def _try_own(name: str, optimiser: Component, options: Params, augmentations: Sequence[tuple[Component, Params]]) -> None:
    """Build those that are siambench's once, so that an option out of its range is told before anything runs; a plugin's are built apart.

    Raises:
        ConfigError: if an option cannot be.
    """
    for component, own in augmentations:
        if component.provenance.plugin == _OWN:
            call_factory(component.entry.build, own)
    if options and optimiser.provenance.plugin == _OWN:
        from siambench.training.optimiser import try_options

        try_options(name, options)


def exam_rules(track: Track, parts: RuleParts) -> Track:
    """The rules with all options of what they name, as an exam knows them."""
    return track.model_copy(update={"training": parts.rules})


def _resolved(component: Component, name: str, given: Mapping[str, Value]) -> dict[str, Value]:
    """All options of a component, a number as one where its default is: 1 and 1.0 are one."""
    check_options(component, name, given)
    defaults = component.entry.defaults
    return {key: float(value) if isinstance(defaults[key], float) else value for key, value in {**defaults, **given}.items()}


def _suggested(component: Component) -> AugmentRules:
    """The augmentation of a data set's own."""
    try:
        return AugmentRules.model_validate(dict(component.entry.augment))
    except ValueError as error:
        raise ConfigError(f"the augmentation of data set {component.name!r} of {component.provenance} does not hold: {error}") from error


def _strange(forms: Collection[Form]) -> Iterator[str]:
    """The rules of augmentation for items of other forms."""
    return (name for other, names in AUGMENT_OF_FORM.items() if other not in forms for name in names)
