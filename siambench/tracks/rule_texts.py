"""What each key of a track and of a comparison means, in words: said here once, for schemas that editors read and for the documentation."""

from __future__ import annotations

from typing import Final

TRACK: Final = {
    "schema": "layout of the file",
    "name": "of the exam",
    "version": "Major.Minor; rows of different versions never share a table",
    "title": "for people",
    "notes": "for people: what was looked at, and what is special",
    "dataset.name": "a data set (`siambench list datasets`), or `folder:PATH`, `csv:PATH`, `npz:PATH`, `safetensors:PATH`",
    "dataset.options": "its options (`siambench show datasets NAME`)",
    "split.rule": (
        "`official`, `class-halves` (the second half of the sorted classes is test), `class-fraction`, `by-group`; `closed-set`: training "
        "and test share their classes; or the split rule of a plugin"
    ),
    "split.folds": "folds for tuning, disjoint by class",
    "split.group": "the class attribute (script, alphabet …) that `by-group` and the folds follow",
    "split.test_fraction": (
        "share of the classes that is test, for `class-fraction` and `by-group`; of each class's images for `closed-set`"
    ),
    "split.acknowledged_duplicates": ("how many test images may occur in training too (or, of a gallery, queries in it); more is an error"),
    "model.backbone": "the network where the method names none; of items of two sides one for each, `conv4|bag`",
    "model.options": "its options; of two, `first.width` and `second.width`, or a table for each",
    "model.embedding_size": "numbers that an embedding has",
    "training.epochs": "length of a trial; a final model, which has more images, takes as many more steps per epoch",
    "training.steps_per_epoch": "steps of an epoch of a trial",
    "training.batch_size": "items per step",
    "training.images_per_class": (
        "images of each class in a batch, a divisor of `training.batch_size`, for every loss whose batches hold several of one; where "
        "classes have fewer than that, the same images stand in a batch again and are each other's positives: of classes of two, say 2; "
        "unset: what the loss asks for, 4, of some 2 (`siambench show loss NAME`)"
    ),
    "training.optimiser": "`adam`, `adamw`, `sgd` (momentum 0.9), `rmsprop`, or a plugin's",
    "training.optimiser_options": "`alpha` (0.99), `momentum` (0) and `eps` (1e-8) of `rmsprop`; options of a plugin's optimiser",
    "training.schedule": "`constant`, `cosine`, `one-cycle`, `plateau` (watches the training loss), or a plugin's",
    "training.schedule_options": "options of a plugin's schedule",
    "training.precision": (
        "`fp32`, or `bf16` autocast, refused without hardware for it unless `SIAMBENCH_FORCE_BF16=1`; evaluation is always fp32"
    ),
    "training.validate_every": (
        "under `constant` and `plateau`: after how many epochs, and after the last, a tuning run is validated, the best being chosen; "
        "0: after each. Under `cosine` and `one-cycle` the last epoch is the one that counts; a number asks for the curve beside it"
    ),
    "training.early_stopping": (
        "validations without a better score after which a tuning run stops; 0: never. Refused under `cosine` and `one-cycle`"
    ),
    "training.racing": "whether of each four trials only the best two on fold 0, and the default, run the other folds",
    "training.search": (
        "what proposes the trials after the default: a `quasi-random` sequence, `tpe`, or `gp`, Optuna's Gaussian process with (log) "
        "expected improvement; without races that is asked for one trial at a time"
    ),
    "training.trained_stages": (
        "of the trunk so many of the last stages are trained, the others stay as they are, without a gradient and in evaluation mode; 0: "
        "none, and its features are then computed once where nothing random is done to items; unset, or not below the number of its "
        "stages: all"
    ),
    "training.frozen_batchnorm": (
        "whether the trunk's BatchNorm stays as it is: its statistics, and without a gradient its scales and shifts"
    ),
    "training.trunk_rate": "by what the trunk's learning rate is multiplied",
    "training.trunk_warmup": "so many epochs the trunk stays as it is, while the head and the loss's own parameters are trained",
    "training.rate_warmup": (
        "share of all steps over which all rates rise in proportion to the step; refused under `one-cycle`, which does so itself"
    ),
    "training.decay_all": "whether weight decay is for biases, BatchNorm and the loss's own parameters too, and not for weights alone",
    "training.clip_norm": "the norm that the gradient of all that is trained is clipped to; 0: never",
    "training.ema": (
        "decay of the running mean of weights and running statistics, d = min(ema, (1 + t) / (10 + t)) after step t, which is evaluated in "
        "place of the weights; 0: there is none"
    ),
    "training.rotate_classes": "whether each training class turned by 90°, 180° and 270° is three further classes (square images alone)",
    "training.feeds": (
        "the ways to form batches that the track admits, the first being the one of `--loss` without `--feed`; empty: all, `classes` "
        'first. With `["views"]` nothing that is trained sees a label'
    ),
    "augment.rotate": "of images: degrees, ±",
    "augment.scale": "of images: [low, high] of a factor",
    "augment.translate": "of images: share of the edge, ±",
    "augment.shear": "of images: degrees, ±",
    "augment.flip": "of images: left-right mirroring",
    "augment.padding": "of images: what lies beyond the edge",
    "augment.crop": (
        "of images: [low, high] of the share of an image's area that is cut out at random and brought to the size of the whole, before "
        "anything else: torchvision's `RandomResizedCrop`"
    ),
    "augment.crop_ratio": "of images: [low, high] of the width of a crop by its height",
    "augment.jitter": "of arrays: standard deviation of noise in their own units",
    "augment.scaling": "of arrays: [low, high] of a factor",
    "augment.time_warp": "of arrays: share by which the pace along the last axis changes, ±",
    "augment.drop": "of tokens: share that is left out",
    "augment.swap": "of tokens: share that changes places with the next",
    "augment.NAME": (
        "a table for each further augmentation that is installed (`siambench list augmentations`), with its options, such as "
        "`[augment.cutout]` with `size`; they come after the others, in the order of the file"
    ),
    "space.lr": "the learning rate, which every method tunes: a table of `low`, `high`, `log`, `default`, or one number, not tuned",
    "space.weight_decay": "the weight decay, which every method tunes, likewise",
    "space.loss_lr": "the rate of a loss's own parameters, likewise, where it has any",
    "budget.studies": "independent tunings that a full row has",
    "budget.trials": "trials of each study",
    "budget.repetitions": "final models of each study (`seeds`, the older word, is read for one more version)",
    "evaluation.distance": "what near means",
    "evaluation.protocol": "`retrain`: each final model is trained on all training classes; `reality-check`: one model per fold",
    "evaluation.pairs": (
        "a file of verification pairs of the test part, as given, beside the track or below `SIAMBENCH_DATA`; `official`: those that the "
        "data set brings; `all`: every pair, counted into bins, with bounds in the notes (no accuracy: there are no folds); empty: they "
        "are drawn"
    ),
    "metrics.primary": "what tuning watches and rows are ordered by",
    "metrics.report": "all metrics that are reported, the primary one among them",
    "metrics.over": (
        "the attribute of classes (`script`, `alphabet`, `group`) whose groups a row's interval over groups is taken over; unset: "
        "`split.group`"
    ),
}
"""By the dotted keys of a track."""

COMPARISON: Final = {
    "schema": "layout of the file",
    "track": "which exam: a shipped track, the path of a track's file or folder, or the track of a plugin",
    "methods": "what is compared, one table for each; a list of names makes a grid",
    "methods.loss": "a loss by its name, `./file.py:Class`, or losses put together; a list of them",
    "methods.miner": "a miner by its name, or a list of them",
    "methods.feed": (
        "`classes`, `pairs`, `triplets` or `views`; `pairs=FILE` or `triplets=FILE`, your own list, looked for beside the comparison too"
    ),
    "methods.backbone": "a backbone; unset: the track's",
    "methods.init": (
        "as `--init` on the command line: the file of a model of another data set's exam that training starts from, looked for beside the "
        "comparison too"
    ),
    "studies": 'independent tunings of each method: a number, or `"all"`, the track\'s; unset: 1',
    "trials": "another budget than the track's: trials of each study",
    "repetitions": "another budget than the track's: final models of each study (`seeds`, the older word, is read for one more version)",
    "space": (
        "as `--space` on the command line: another space that the losses bring, such as `reality-check`, a range of a parameter, such as "
        "`loss.margin=0.05..0.5`, or a list of such"
    ),
    "set": (
        "as `--set` on the command line: parameters to fix or rules to change; `training.sampler`: the sampler of methods that are fed by "
        "classes or from a list"
    ),
}
"""By the dotted keys of a comparison."""

RANGE: Final = {
    "low": "the least value",
    "high": "the largest value",
    "log": "whether it is searched on a logarithmic scale",
    "default": "the value of trial 0",
}
"""Of a dimension of the track's own space."""
