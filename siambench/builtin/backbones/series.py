"""Networks for arrays [B, C, T], such as series of T moments with C channels. Both give features [B, F] whatever T is."""

from __future__ import annotations

from torch import Tensor, nn

from siambench.errors import ConfigError


def _channels(input_shape: tuple[int, ...], name: str) -> tuple[int, int]:
    if len(input_shape) != 2:
        raise ConfigError(f"{name} takes arrays of shape (C, T), got {input_shape}")
    return input_shape[0], input_shape[1]


def cnn1d(input_shape: tuple[int, ...], *, width: int, blocks: int, kernel: int, dropout: float) -> nn.Module:
    """``blocks`` × (convolution, BatchNorm, ReLU, halving while there is something to halve), then the mean over time.

    The first block has ``width`` channels, each further one twice as many as the one before.

    Raises:
        ConfigError: if the arrays are not [C, T].
    """
    channels, length = _channels(input_shape, "cnn1d")
    parts: list[nn.Module] = []
    for _ in range(blocks):
        # The bias would be undone by BatchNorm.
        parts += [nn.Conv1d(channels, width, kernel, padding=kernel // 2, bias=False), nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
        length = length + 2 * (kernel // 2) - kernel + 1
        if length > 1:
            parts.append(nn.MaxPool1d(2))
            length //= 2
        parts += [nn.Dropout(dropout)] if dropout else []
        channels, width = width, 2 * width
    return nn.Sequential(*parts, nn.AdaptiveAvgPool1d(1), nn.Flatten())


class Gru(nn.Module):
    """A recurrent network that reads a series in both directions; its features are the means of its states over time.

    Args:
        channels: C.
        width: of the states of one direction.
        layers: of the network.
        dropout: between layers.

    Source:
        Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, EMNLP 2014.
    """

    def __init__(self, channels: int, *, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.gru = nn.GRU(channels, width, layers, batch_first=True, bidirectional=True, dropout=dropout if layers > 1 else 0.0)

    def forward(self, arrays: Tensor) -> Tensor:
        """Features [B, 2 · width] of arrays fp32 [B, C, T]."""
        states, _ = self.gru(arrays.transpose(1, 2))
        features: Tensor = states.mean(dim=1)
        return features


def gru(input_shape: tuple[int, ...], *, width: int, layers: int, dropout: float) -> nn.Module:
    """`Gru` for arrays of this shape.

    Raises:
        ConfigError: if the arrays are not [C, T].
    """
    channels, _ = _channels(input_shape, "gru")
    return Gru(channels, width=width, layers=layers, dropout=dropout)
