from __future__ import annotations

import json
import subprocess
import sys

import pytest
from siambench.components.catalogue import Catalogue

import siambench_timm


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)


def test_listing_backbones_imports_neither_torch_nor_timm():
    """`siambench list backbones` shows the plugin's names and imports neither torch, torchvision nor timm."""
    result = run_python(
        "import sys\n"
        "from siambench.cli import main\n"
        "try:\n"
        "    main(['list', 'backbones'])\n"
        "finally:\n"
        "    print([m for m in ('torch', 'torchvision', 'timm', 'huggingface_hub') if m in sys.modules], file=sys.stderr)\n"
    )

    assert result.returncode == 0
    assert "timm-resnet18" in result.stdout
    assert result.stderr.strip() == "[]"


def test_every_model_of_the_list_has_a_name_and_the_rest_share_one():
    """The plugin provides `timm`, and `timm-<model>` for each model of its list, with its distribution's name and version."""
    found = {c.name: c for c in Catalogue.load().components("backbones") if c.provenance.distribution == "siambench-timm"}

    assert sorted(found) == sorted(["timm", *(f"timm-{model}" for model in siambench_timm.MODELS)])
    assert {c.provenance.plugin for c in found.values()} == {"timm"}
    assert dict(found["timm"].entry.defaults) == {"model": "resnet18", "pretrained": "none", "drop_path": 0.0, "size": 0, "head": "drawn"}
    assert dict(found["timm-resnet50"].entry.defaults) == {"pretrained": "none", "drop_path": 0.0, "size": 0, "head": "drawn"}
    assert {c.entry.takes for c in found.values()} == {("images",)}


def test_every_model_of_the_list_is_one_of_timms():
    """Timm has every model that the list names, with published ImageNet weights."""
    import timm

    known = set(timm.list_models(pretrained=True))

    assert [model for model in siambench_timm.MODELS if not any(full.split(".")[0] == model for full in known)] == []


def test_show_describes_a_backbone_as_json():
    """`siambench show backbone timm-vit_tiny_patch16_224 --json` tells its options, its paper and what it is."""
    result = subprocess.run(
        [sys.executable, "-m", "siambench", "show", "backbone", "timm-vit_tiny_patch16_224", "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    facts = json.loads(result.stdout)

    assert facts["defaults"] == {"pretrained": "none", "drop_path": 0.0, "size": 0, "head": "drawn"}
    assert facts["source"] == siambench_timm.MODELS["vit_tiny_patch16_224"]
    assert facts["about"].startswith("timm's vit_tiny_patch16_224 ")


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 32, 32)])
@pytest.mark.parametrize("model", sorted(siambench_timm.MODELS))
def test_every_model_of_the_list_gives_features_of_grey_and_coloured_images(model, shape):
    """Each model of the list turns small images of one or three channels into finite features [B, F]."""
    import torch

    entry = Catalogue.load().get("backbones", f"timm-{model}").entry
    trunk = entry.build(input_shape=shape, **entry.defaults)
    features = trunk.eval()(torch.rand(2, *shape))

    assert features.ndim == 2
    assert len(features) == 2
    assert bool(features.isfinite().all())
