from __future__ import annotations

import pytest
import timm
import torch
from siambench.components.stages import in_stage, stages_of
from siambench.errors import ConfigError, DataMissingError, UsageError
from torch import nn

from siambench_timm.trunk import Trunk, build

NONE = {"pretrained": "none", "drop_path": 0.0, "size": 0}


def test_images_are_normalised_by_the_models_own_statistics():
    """A trunk hands (image - mean) / std to its model, channel by channel, with the mean and std that timm publishes."""
    config = timm.get_pretrained_cfg("mobilenetv3_small_050")
    trunk = build("mobilenetv3_small_050", (3, 32, 32), **NONE)
    trunk.model = nn.Flatten()
    images = torch.rand(2, 3, 4, 5)

    expected = [[(images[b, c] - config.mean[c]) / config.std[c] for c in range(3)] for b in range(2)]

    assert config.mean == (0.485, 0.456, 0.406)
    torch.testing.assert_close(trunk(images), torch.stack([torch.stack(row) for row in expected]).flatten(1))


def test_grey_images_are_repeated_where_the_model_has_three_channels():
    """A grey image gives a three-channel model what the same image in colour gives it."""
    trunk = Trunk(nn.Flatten(), mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 4.0), size=0)
    grey = torch.rand(2, 1, 4, 4)

    assert torch.equal(trunk(grey.repeat(1, 3, 1, 1)), trunk(grey))


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_the_first_layer_takes_the_images_own_channels(channels):
    """Without pretrained weights a model is built for as many channels as the images have."""
    trunk = build("test_resnet", (channels, 32, 32), **NONE)

    assert next(p for p in trunk.model.parameters() if p.ndim == 4).shape[1] == channels
    assert trunk(torch.rand(2, channels, 32, 32)).shape == (2, 96)


def test_a_model_for_images_of_one_size_is_built_for_the_size_at_hand():
    """A vision transformer, published for 160 × 160 pixels, takes 32 × 48 with the positions of 2 × 3 patches."""
    trunk = build("test_vit", (3, 32, 48), **NONE)

    assert tuple(trunk.model.patch_embed.grid_size) == (2, 3)
    assert trunk(torch.rand(2, 3, 32, 48)).shape == (2, 64)


def test_the_option_size_resizes_the_images():
    """With size = 32 the model sees images of 32 × 32, whatever their own size."""
    trunk = build("test_vit", (1, 24, 24), pretrained="none", drop_path=0.0, size=32)
    seen = trunk(torch.rand(2, 1, 24, 24))
    trunk.model = nn.Flatten()

    assert seen.shape == (2, 64)
    assert trunk(torch.rand(2, 1, 24, 24)).shape == (2, 32 * 32)


def test_drop_path_reaches_the_model():
    """The option drop_path sets stochastic depth, which is random while training and absent in evaluation."""
    trunk = build("test_vit", (3, 32, 32), pretrained="none", drop_path=0.5, size=0)
    images = torch.rand(8, 3, 32, 32)
    rates = [m.drop_prob for m in trunk.modules() if type(m).__name__ == "DropPath"]

    assert max(rates) == 0.5
    trunk.eval()
    assert torch.equal(trunk(images), trunk(images))
    trunk.train()
    assert not torch.equal(trunk(images), trunk(images))


def test_weights_follow_the_global_seed_alone():
    """Two builds under one seed give the same weights, and another seed gives others."""

    def flat(seed):
        torch.manual_seed(seed)
        return nn.utils.parameters_to_vector(build("test_efficientnet", (1, 32, 32), **NONE).parameters())

    assert torch.equal(flat(3), flat(3))
    assert not torch.equal(flat(3), flat(4))


@pytest.mark.parametrize(
    ("model", "first", "last", "number"),
    [
        ("test_efficientnet", ("model.conv_stem", "model.bn1"), "model.conv_head", None),
        ("test_vit", ("model.cls_token", "model.pos_embed", "model.patch_embed"), "model.norm", 7),
        ("test_resnet", ("model.conv1", "model.bn1"), "model.layer4", 5),
    ],
)
def test_stages_are_those_that_timm_says(model, first, last, number):
    """A network is trained from its last blocks on: each is a stage, and a normalisation behind them belongs to the last."""
    trunk = build(model, (3, 32, 32), **NONE)
    stages = stages_of(trunk, name=model)

    assert stages[0] == first
    assert last in stages[-1]
    assert len(stages) == number or number is None
    assert len(stages) >= 5
    for name, _ in trunk.named_parameters():
        assert sum(in_stage(name, stage) for stage in stages) == 1, name


def test_what_is_random_in_a_stage_lies_in_it():
    """A block that is one stage is named whole, so that keeping it as it is turns off its stochastic depth as well."""
    trunk = build("test_vit", (3, 32, 32), pretrained="none", drop_path=0.5, size=0)
    stages = stages_of(trunk)
    random = [name for name, module in trunk.named_modules() if type(module).__name__ == "DropPath"]

    assert random
    assert all(any(in_stage(name, stage) for stage in stages) for name in random)


def test_the_head_over_a_trunk_may_start_as_the_identity():
    """With head = identity siambench's embedding head starts as that; otherwise it is drawn."""
    assert build("test_resnet", (3, 32, 32), **NONE).head_start == "drawn"
    assert build("test_resnet", (3, 32, 32), **NONE, head="identity").head_start == "identity"


@pytest.mark.parametrize(
    ("name", "shape", "options", "message"),
    [
        ("resnet81", (3, 32, 32), {}, "has no model 'resnet81', did you mean 'resnet18'?"),
        ("resnet18.a1_in2k", (3, 32, 32), {}, "timm's resnet18 has no weights 'a1_in2k', did you mean 'a1_in1k'?"),
        ("hf-hub:timm/resnet18", (3, 32, 32), {}, "has no model 'hf-hub:timm/resnet18'"),
        (18, (3, 32, 32), {}, "has no model 18;"),
        ("test_resnet", (3, 32, 32), {"drop_path": 1.0}, "drop_path must lie in [0, 1), got 1.0"),
        ("test_resnet", (3, 32, 32), {"drop_path": True}, "drop_path must lie in [0, 1), got True"),
        ("test_resnet", (3, 32, 32), {"size": -1}, "size must be a number of pixels, or 0 for the images' own, got -1"),
        ("test_resnet", (3, 32, 32), {"size": "big"}, "size must be a number of pixels, or 0 for the images' own, got 'big'"),
        ("test_resnet", (3, 32, 32), {"pretrained": True}, "pretrained must be none, imagenet, wheel or a file of weights, got True"),
        ("test_resnet", (3, 32, 32), {"head": "eye"}, "head must be drawn or identity, got 'eye'"),
        ("test_resnet", (3, 32, 32), {"pretrained": "imagenett"}, "got 'imagenett', did you mean 'imagenet'?"),
        ("densenet121", (3, 32, 32), {"drop_path": 0.1}, "timm's densenet121 takes no drop_path"),
        ("test_vit", (3, 24, 24), {}, "would drop the rest of 24 × 24; resize them with the option size, e.g. size = 32"),
        ("inception_v3", (3, 16, 16), {}, "timm's inception_v3 cannot take images of 3 × 16 × 16"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_sentence(name, shape, options, message):
    """An unknown model or tag, an option out of its range, and images that do not fit are an error of one line."""
    with pytest.raises(UsageError) as caught:
        build(name, shape, **{**NONE, **options})

    # A ConfigError fails a unit for good; a name that another version of timm may know must not do that.
    assert type(caught.value) is (DataMissingError if "has no" in message else ConfigError)
    assert message in str(caught.value)
    assert str(caught.value).count("\n") == 0
