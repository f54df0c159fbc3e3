from __future__ import annotations

import pickle
import subprocess

import pytest
import timm
import torch
from safetensors.torch import save_file
from siambench.errors import ConfigError, DataMissingError, UsageError

from siambench_timm.trunk import build

SHAPE = (3, 32, 32)


@pytest.fixture(scope="session")
def donor():
    """A model with its classifier, standing in for what somebody trained."""
    torch.manual_seed(20)
    model = timm.create_model("test_resnet", in_chans=3)
    for value in model.buffers():
        if value.is_floating_point():
            value.add_(0.25)
    return model


def pretrained(value, *, model="test_resnet", shape=SHAPE, size=0):
    return build(model, shape, pretrained=str(value), drop_path=0.0, size=size)


def refusal(value, *, kind=DataMissingError, **options):
    with pytest.raises(UsageError) as caught:
        pretrained(value, **options)
    assert type(caught.value) is kind
    return str(caught.value)


def assert_same(donor, trunk):
    expected = {k: v for k, v in donor.state_dict().items() if not k.startswith(("fc.", "head.", "classifier."))}
    assert sorted(expected) == sorted(trunk.model.state_dict())
    for key, value in trunk.model.state_dict().items():
        assert torch.equal(expected[key], value), key


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_file_of_weights_is_loaded_whole(donor, tmp_path, suffix):
    """Every parameter and buffer of the trunk comes from the file, safetensors or torch's; its classifier is left out."""
    path = tmp_path / f"mine{suffix}"
    if suffix == ".pth":
        torch.save(donor.state_dict(), path)
    else:
        save_file(donor.state_dict(), path)

    assert_same(donor, pretrained(path))


def test_published_weights_are_taken_from_the_folder_weights_of_the_data(donor, tmp_path):
    """Pretrained = imagenet loads <model>.<tag>.safetensors from the folder `weights` below SIAMBENCH_DATA."""
    path = tmp_path / "data/weights/test_resnet.r160_in1k.safetensors"
    path.parent.mkdir(parents=True)
    save_file(donor.state_dict(), path)

    assert_same(donor, pretrained("imagenet"))
    assert_same(donor, pretrained("imagenet", model="test_resnet.r160_in1k"))


def test_a_bare_name_is_looked_for_in_the_folder_weights_of_the_cache(donor, tmp_path):
    """Pretrained = mine.safetensors, without a folder, is found in `weights` below SIAMBENCH_CACHE: no path in any record."""
    path = tmp_path / "cache/weights/mine.safetensors"
    path.parent.mkdir(parents=True)
    save_file(donor.state_dict(), path)

    assert_same(donor, pretrained("mine.safetensors"))


def test_grey_images_meet_pretrained_weights_in_three_channels(donor, tmp_path):
    """With pretrained weights a grey image gives the features of the same image in colour."""
    path = tmp_path / "mine.safetensors"
    save_file(donor.state_dict(), path)
    grey = pretrained(path, shape=(1, 32, 32)).eval()
    coloured = pretrained(path).eval()
    images = torch.rand(2, 1, 32, 32)

    assert torch.equal(coloured(images.repeat(1, 3, 1, 1)), grey(images))


def test_positions_of_a_transformer_are_resampled_for_the_size_at_hand(tmp_path):
    """Weights of a vision transformer for 160 × 160 pixels load into one for 32 × 32: all blocks are those of the file."""
    torch.manual_seed(21)
    donor = timm.create_model("test_vit")
    path = tmp_path / "mine.safetensors"
    save_file(donor.state_dict(), path)
    trunk = pretrained(path, model="test_vit")

    assert donor.pos_embed.shape[1] == 101
    assert trunk.model.pos_embed.shape[1] == 5
    assert torch.equal(donor.blocks[0].attn.qkv.weight, trunk.model.blocks[0].attn.qkv.weight)


def test_missing_published_weights_say_what_is_missing_and_where_to_put_it(tmp_path):
    """Out of reach of the hub, pretrained = imagenet names the file, its address and the folder to put it into."""
    with pytest.raises(DataMissingError) as caught:
        pretrained("imagenet")

    message = str(caught.value)
    assert message.startswith("test_resnet.r160_in1k.safetensors is missing and http://127.0.0.1:9/timm/test_resnet.r160_in1k/")
    assert message.endswith(f"put the file into {tmp_path / 'data/weights'}")


def test_weights_from_elsewhere_are_not_called_imagenet():
    """Weights that timm publishes from elsewhere refuse the name imagenet, and so does a model without any."""
    assert "timm's weights 'openai' of 'resnet50_clip' are not from ImageNet" in refusal("imagenet", model="resnet50_clip")
    assert "timm publishes no weights for 'mixer_s16_224'" in refusal("imagenet", model="mixer_s16_224")


def test_weights_of_another_model_are_refused(donor, tmp_path):
    """A file whose tensors are not the model's is an error: timm alone would pass over them and train from scratch."""
    named = {f"other.{key}": value for key, value in donor.state_dict().items()}
    save_file(named, tmp_path / "renamed.safetensors")
    half = {key: value for key, value in donor.state_dict().items() if not key.startswith("layer4.")}
    save_file(half, tmp_path / "half.safetensors")
    shapes = {key: value.repeat(2, *[1] * (value.ndim - 1)) if value.ndim else value for key, value in donor.state_dict().items()}
    save_file(shapes, tmp_path / "shapes.safetensors")

    assert "renamed.safetensors holds no weights of timm's test_resnet for" in refusal(tmp_path / "renamed.safetensors")
    assert "of its layers, among them layer4." in refusal(tmp_path / "half.safetensors")
    assert "shapes.safetensors does not fit timm's test_resnet" in refusal(tmp_path / "shapes.safetensors")


def test_nothing_in_a_file_of_weights_is_executed(tmp_path):
    """A pickle that would run a command when it is read is refused, and the command does not run."""
    trap = tmp_path / "trap"

    class Trap:
        def __reduce__(self):
            return subprocess.run, (["touch", str(trap)],)

    (tmp_path / "evil.pth").write_bytes(pickle.dumps({"conv1.weight": Trap()}))

    assert "evil.pth cannot be read as weights" in refusal(tmp_path / "evil.pth")
    assert not trap.exists()


def test_a_file_that_is_none_is_refused_in_one_sentence(tmp_path):
    """A missing file, a damaged one, one of another kind, and images of two channels are each an error that says so."""
    (tmp_path / "damaged.safetensors").write_bytes(b"\x08\x00")

    assert "no file of weights 'absent.safetensors'; looked for absent.safetensors and " in refusal("absent.safetensors")
    assert "damaged.safetensors cannot be read as weights" in refusal(tmp_path / "damaged.safetensors")
    assert "pretrained must be none, imagenet, wheel or a file that ends in .safetensors, .pth, .pt, .bin" in refusal(
        "imagnet", kind=ConfigError
    )
    assert "pretrained weights of test_resnet take images of 1 or 3 channels, got 2" in refusal(
        "imagenet", kind=ConfigError, shape=(2, 32, 32)
    )
