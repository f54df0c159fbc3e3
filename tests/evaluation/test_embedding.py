"""Items to embeddings: of a model, of several as one, and of the input itself."""

import dataclasses

import numpy as np
import pytest
import torch
from evaluated import Watching, items_of
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import nn

from siambench.data.transforms import to_float
from siambench.evaluation.embedding import Concatenated, RawInput, TermWeights, embed, raw_model
from siambench.testing import synthetic_dataset
from siambench.tracks.parts import Parts
from siambench.tracks.rules import SplitRules
from siambench.tracks.split import cut

CPU = torch.device("cpu")


def parts_of(dataset):
    """The parts of a final unit."""
    return Parts(dataset, cut(dataset, SplitRules().spec), kind="final", fold=None, opened=lambda: None)


def test_embedding_in_parts_changes_nothing():
    """More items than one batch holds are embedded in parts, each item as it would be alone."""
    dataset = synthetic_dataset(classes=10, images_per_class=120)
    torch.manual_seed(0)
    model = Watching().eval()

    found = embed(model, items_of(dataset).read, 1200, device=CPU)

    assert [call[-1] for call in model.seen] == [512, 512, 176]
    for item in (0, 511, 512, 1199):
        with torch.no_grad():
            alone = model(to_float(torch.from_numpy(dataset.read(np.array([item])))))
        assert torch.allclose(alone[0], found[item], atol=1e-6)


@pytest.mark.parametrize(("form", "dtype"), [("images", torch.float32), ("arrays", torch.float32), ("tokens", torch.int64)])
def test_a_model_is_given_items_in_their_form(form, dtype):
    """Images come as fp32 in [0, 1], arrays and tokens as the data set reads them, without a gradient, in evaluation mode."""
    dataset, seen = synthetic_dataset(form=form), []

    class Trunk(nn.Module):
        def forward(self, items):
            seen.append((items.dtype, items.clone(), torch.is_grad_enabled(), self.training))
            return items.flatten(1).float()

    embed(Trunk().train(), dataset.read, 48, form=form, device=CPU)

    [(found, items, gradient, training)] = seen
    expected = torch.from_numpy(dataset.read(np.arange(48)))
    assert (found, gradient, training) == (dtype, False, False)
    assert torch.equal(to_float(expected) if form == "images" else expected, items)


# ---- the input itself


def test_raw_pixels_are_the_images_themselves():
    """The baseline ``raw`` embeds an image as its pixels in [0, 1], flattened."""
    dataset = synthetic_dataset(channels=3)

    found = embed(RawInput(), items_of(dataset).read, len(dataset.labels), device=CPU)

    assert torch.equal(torch.from_numpy(dataset.read(np.arange(48))).flatten(1).float() / 255, found)


def test_raw_arrays_are_the_arrays_themselves():
    """The baseline ``raw`` embeds an array as its numbers, flattened."""
    dataset = synthetic_dataset(form="arrays", channels=3)

    found = embed(RawInput(), items_of(dataset).read, len(dataset.labels), form="arrays", device=CPU)

    assert torch.equal(torch.from_numpy(dataset.read(np.arange(48))).flatten(1), found)


def texts(seed, number, length, vocabulary, among=None):
    """Tokens of texts of different lengths, in which small ids are frequent and large ones rare; padded at the end."""
    random = np.random.default_rng(seed)
    tokens = (1 + (vocabulary - 1) * random.random((number, length)) ** 3).astype(np.int64)
    if among is not None:
        tokens = random.choice(among, size=(number, length))
    tokens[np.arange(length) >= random.integers(0, length + 1, size=(number, 1))] = 0
    return tokens


def words(row):
    """The tokens of a row, as scikit-learn counts them."""
    return [int(token) for token in row if token]


@pytest.mark.parametrize(("number", "length", "vocabulary"), [(7, 5, 12), (40, 30, 200), (600, 12, 50), (1, 4, 9)])
def test_term_weights_are_scikit_learns_of_the_training_tokens_alone(number, length, vocabulary):
    """Of training and of other texts, tokens included that no training text holds, the weights are those of its TfidfVectorizer."""
    training = texts(0, number, length, vocabulary)
    training[0, 0] = training[0, 1] = 1
    # Other texts are longer, have tokens that training lacks, are empty, or consist of unknown tokens alone.
    unknown = np.setdiff1d(np.arange(1, vocabulary + 20), training)
    other = np.concatenate([texts(1, 20, 2 * length, vocabulary + 20), texts(2, 5, 2 * length, 0, among=unknown)])
    other[3] = 0
    theirs = TfidfVectorizer(analyzer=words).fit(training)
    ours = TermWeights(torch.from_numpy(training), vocabulary + 20)

    assert sorted(theirs.vocabulary_) == ours.known.tolist()
    assert theirs.idf_ == pytest.approx(ours.weights.double().numpy(), rel=1e-6)
    for tokens in (training, other):
        assert theirs.transform(tokens).toarray() == pytest.approx(ours(torch.from_numpy(tokens)).numpy(), abs=1e-6)
    assert not ours(torch.from_numpy(other[-5:])).any()
    # Fitted to all texts they would be others: the fact can fail.
    everything = TfidfVectorizer(analyzer=words).fit([*training, *other])
    assert len(everything.vocabulary_) > len(theirs.vocabulary_)


def test_term_weights_move_with_the_model():
    """What is fitted is kept as buffers: it is saved with the model and moved to its device, and nothing is trained."""
    model = TermWeights(torch.tensor([[1, 2, 0], [2, 2, 5]]), 8)

    assert [1, 2, 5] == model.state_dict()["known"].tolist()
    assert set(model.state_dict()) == {"known", "weights"}
    assert list(model.parameters()) == []


@pytest.mark.parametrize(("form", "kind"), [("images", RawInput), ("arrays", RawInput), ("tokens", TermWeights)])
def test_the_raw_model_suits_the_items(form, kind):
    """The baseline ``raw`` of images and arrays is the input itself, of tokens their weighted counts."""
    dataset = synthetic_dataset(form=form)
    model = raw_model(parts_of(dataset).training())
    found = embed(model, dataset.read, 48, form=form, device=CPU)

    assert type(model) is kind
    assert found.shape == (48, len(model.known) if form == "tokens" else np.prod(dataset.shape))
    assert found.dtype == torch.float32


def test_the_raw_model_is_fitted_to_training_items_alone():
    """Whatever the test part holds, the weights of tokens are those of the training part."""
    dataset = synthetic_dataset(form="tokens")
    tokens = dataset.read(np.arange(48)).copy()
    tokens[24:] = np.random.default_rng(0).integers(1, 64, size=tokens[24:].shape)
    other = dataclasses.replace(dataset, read=lambda indices: tokens[indices])
    one, same = (raw_model(parts_of(each).training()) for each in (dataset, other))

    assert torch.equal(one.known, same.known)
    assert torch.equal(one.weights, same.weights)
    theirs = TfidfVectorizer(analyzer=words).fit(tokens[:24])
    assert sorted(theirs.vocabulary_) == one.known.tolist()


# ---- several models as one


def test_concatenated_models_stand_side_by_side_at_unit_length():
    """The embedding of several models is that of each at unit length, one after the other, in their order."""
    models = [nn.Sequential(nn.Flatten(), nn.Linear(4, size)) for size in (3, 2)]
    for model in models:
        model.memory_format = torch.channels_last
    items = torch.rand(5, 1, 2, 2)
    together = Concatenated(models)
    found = together(items)

    assert found.shape == (5, 5)
    for part, model in zip(found.split([3, 2], dim=1), models, strict=True):
        rows = model(items)
        assert torch.allclose(rows / rows.norm(dim=1, keepdim=True), part, atol=1e-6)
    assert together.memory_format == torch.channels_last
