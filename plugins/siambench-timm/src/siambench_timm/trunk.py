"""A model of timm as a trunk: from images in [0, 1] to pooled features."""

from __future__ import annotations

from typing import Any

import timm
import torch
from siambench.errors import ConfigError, DataMissingError, suggestion
from timm.layers import PatchEmbed
from timm.models import get_pretrained_cfg, group_parameters
from torch import Tensor, nn
from torch.nn import functional

from siambench_timm.weights import first_line, own_file, published, read
from siambench_timm.wheels import in_wheel, renamed

_COLOURS = 3


class Trunk(nn.Module):
    """A timm model behind its own normalisation.

    Args:
        model: from images [B, C', H', W'] to features [B, F].
        mean: one value per channel C' of the model.
        std: as many.
        size: edge in pixels that images are resized to; 0 leaves them as they are.
        head: how the embedding head over it starts: ``"drawn"``, or as the ``"identity"``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, *, mean: tuple[float, ...], std: tuple[float, ...], size: int, head: str = "drawn") -> None:
        super().__init__()
        self.model = model
        self.size, self.head_start = size, head
        stages = _stages(model)
        if stages:
            self.stages = tuple(tuple(f"model.{name}" for name in stage) for stage in stages)
        self.channels = len(mean)
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Features [B, F] of images [B, C, H, W] in [0, 1]; grey ones are repeated where the model has three channels."""
        if self.size:
            images = functional.interpolate(images, size=(self.size, self.size), mode="bilinear", align_corners=False, antialias=True)
        images = images.expand(-1, self.channels, -1, -1)
        features: Tensor = self.model((images - self.mean) / self.std)
        return features


def build(name: str, input_shape: tuple[int, int, int], *, pretrained: str, drop_path: float, size: int, head: str = "drawn") -> Trunk:
    """A timm model without its classifier.

    Without pretrained weights the first layer takes the images' own channels; with them grey images are repeated over the
    three channels the weights were trained on. Models for images of one size are built for the size at hand.

    Args:
        name: a model, with or without the tag of its weights: ``resnet18``, ``resnet18.a1_in1k``.
        input_shape: (C, H, W).
        pretrained: ``"none"``, ``"imagenet"`` (timm's published weights), ``"wheel"`` (those that a wheel holds) or a file; see
            `siambench_timm.weights` and `siambench_timm.wheels`.
        drop_path: rate of stochastic depth, in [0, 1).
        size: edge in pixels that images are resized to; 0: none.
        head: ``"drawn"``, or ``"identity"``: the embedding head starts as that, so that the first embeddings are the features.

    Raises:
        ConfigError: if the model takes no such option or images.
        DataMissingError: if this timm has no such model, or its weights are neither here nor within reach, or not its own.
    """
    config = _config(name)
    _check_options(pretrained, drop_path, size, head)
    channels = input_shape[0]
    if pretrained != "none" and channels not in (1, _COLOURS):
        raise ConfigError(f"pretrained weights of {name} take images of 1 or 3 channels, got {channels}")
    inner = channels if pretrained == "none" else _COLOURS
    edges = (size, size) if size else input_shape[1:]
    arguments: dict[str, Any] = {"num_classes": 0, "in_chans": inner}
    if drop_path:
        arguments["drop_path_rate"] = float(drop_path)
    if config.fixed_input_size:
        arguments["img_size"] = tuple(edges)
    model = _create(name, arguments) if pretrained == "none" else _create_loaded(name, config, pretrained, arguments)
    _check_patches(name, model, edges)
    mean, std = _statistics(config, inner)
    trunk = Trunk(model, mean=mean, std=std, size=size, head=head)
    _probe(name, trunk, input_shape)
    return trunk


def _stages(model: nn.Module) -> list[list[str]]:
    """What timm says are the stages of a model, by the names of modules and of parameters beside others; none where it says nothing.

    A stage without a weight of two dimensions, such as the last normalisation, belongs to the one before.
    """
    matcher = getattr(model, "group_matcher", None)
    if not callable(matcher):
        return []
    try:
        groups = group_parameters(model, matcher(coarse=True))
    except (AssertionError, KeyError, NotImplementedError, TypeError):
        return []
    parameters = dict(model.named_parameters())
    stages: list[set[str]] = []
    for _, group in sorted(groups.items()):
        if stages and not any(parameters[name].ndim > 1 for name in group):
            stages[-1].update(group)
        else:
            stages.append(set(group))
    return [_largest(model, "", stage) for stage in stages]


def _largest(module: nn.Module, called: str, stage: set[str]) -> list[str]:
    """The largest modules below one that lie in a stage whole, with what is random in them; beside these single parameters."""
    before = f"{called}." if called else ""
    held = [f"{before}{name}" for name, _ in module.named_parameters()]
    if not any(name in stage for name in held):
        return []
    if called and all(name in stage for name in held):
        return [called]
    own = [f"{before}{name}" for name, _ in module.named_parameters(recurse=False)]
    inside = [_largest(child, f"{before}{name}", stage) for name, child in module.named_children()]
    return [*(name for name in own if name in stage), *(name for names in inside for name in names)]


def _config(name: object) -> Any:
    if not isinstance(name, str) or not timm.is_model(name):
        architectures = timm.list_models()
        near = suggestion(name.partition(".")[0], architectures) if isinstance(name, str) else ""
        raise DataMissingError(f"timm {timm.__version__} has no model {name!r}{near}; {len(architectures)} models, see timm.list_models()")
    architecture, _, tag = name.partition(".")
    tags = [full.partition(".")[2] for full in timm.list_models(f"{architecture}.*", include_tags=True)]
    if tag and tag not in tags:
        known = ", ".join(sorted(t for t in tags if t)) or "none"
        raise DataMissingError(f"timm's {architecture} has no weights {tag!r}{suggestion(tag, tags)}; weights: {known}")
    return get_pretrained_cfg(name, allow_unregistered=True)


def _check_options(pretrained: object, drop_path: object, size: object, head: object) -> None:
    if not isinstance(pretrained, str) or not pretrained:
        raise ConfigError(f"pretrained must be none, imagenet, wheel or a file of weights, got {pretrained!r}")
    if isinstance(drop_path, bool) or not isinstance(drop_path, int | float) or not 0 <= drop_path < 1:
        raise ConfigError(f"drop_path must lie in [0, 1), got {drop_path!r}")
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise ConfigError(f"size must be a number of pixels, or 0 for the images' own, got {size!r}")
    if head not in ("drawn", "identity"):
        raise ConfigError(f"head must be drawn or identity, got {str(head)[:60]!r}")


def _create(name: str, arguments: dict[str, Any], **loading: Any) -> nn.Module:
    try:
        model: nn.Module = timm.create_model(name, **arguments, **loading)
    except TypeError as error:
        refused = next((key for key in ("drop_path_rate", "img_size", "in_chans") if f"'{key}'" in str(error)), None)
        if refused is None:
            raise
        what = {"drop_path_rate": "drop_path", "img_size": f"images of {arguments.get('img_size')}", "in_chans": "a choice of channels"}
        raise ConfigError(f"timm's {name} takes no {what[refused]}: {first_line(error)}") from error
    except torch.OutOfMemoryError:
        raise
    except (AssertionError, RuntimeError, ValueError, ZeroDivisionError) as error:
        wanted = ", ".join(f"{key}={value}" for key, value in arguments.items())
        raise ConfigError(f"timm cannot build {name} with {wanted}: {first_line(error)}") from error
    return model


def _create_loaded(name: str, config: Any, pretrained: str, arguments: dict[str, Any]) -> nn.Module:
    if pretrained == "wheel":
        path = in_wheel(name)
        state = renamed(name, read(path))
    else:
        path = published(name, config) if pretrained == "imagenet" else own_file(pretrained)
        state = read(path)
    # Both draw their initial weights from one state, so a matrix that is equal in both was not in the file: timm itself
    # passes over what is missing, because the classifier always is.
    with torch.random.fork_rng(devices=[]):
        bare = dict(_create(name, arguments).named_parameters())
    try:
        model = _create(name, arguments, pretrained=True, pretrained_cfg_overlay={"state_dict": state, "custom_load": False})
    except (ConfigError, KeyError) as error:
        raise DataMissingError(f"{path.name} does not fit timm's {name}: {first_line(error)}") from error
    missing = [key for key, value in model.named_parameters() if _is_drawn(value) and key in bare and torch.equal(value, bare[key])]
    if missing:
        raise DataMissingError(f"{path.name} holds no weights of timm's {name} for {len(missing)} of its layers, among them {missing[0]}")
    return model


def _is_drawn(value: Tensor) -> bool:
    return value.ndim > 1 and bool((value != value.flatten()[0]).any())


def _check_patches(name: str, model: nn.Module, edges: tuple[int, ...]) -> None:
    embed = getattr(model, "patch_embed", None)
    if not isinstance(embed, PatchEmbed) or embed.dynamic_img_pad:
        return
    patches: tuple[int, int] = embed.patch_size
    if any(edge % patch for edge, patch in zip(edges, patches, strict=True)):
        better = -(-max(edges) // patches[0]) * patches[0]
        raise ConfigError(
            f"timm's {name} cuts images into patches of {patches[0]} pixels and would drop the rest of {edges[0]} × {edges[1]}; "
            f"resize them with the option size, e.g. size = {better}"
        )


def _statistics(config: Any, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    mean, std = tuple(config.mean), tuple(config.std)
    if len(mean) == channels:
        return mean, std
    return (sum(mean) / len(mean),) * channels, (sum(std) / len(std),) * channels


def _probe(name: str, trunk: Trunk, input_shape: tuple[int, int, int]) -> None:
    try:
        with torch.no_grad():
            trunk.eval()(torch.zeros(2, *input_shape))
    except torch.OutOfMemoryError:
        raise
    except (AssertionError, IndexError, RuntimeError, ValueError) as error:
        if "can't allocate memory" in str(error):
            raise
        shape = " × ".join(map(str, input_shape))
        raise ConfigError(
            f"timm's {name} cannot take images of {shape}: {first_line(error)}; larger ones may do, with the option size"
        ) from error
    finally:
        trunk.train()
