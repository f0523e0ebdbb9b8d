"""Decoder-only Transformers over binary streams."""

from aixi.predictors.transformer.compiled import FrozenTransformerModel
from aixi.predictors.transformer.decoder import FrozenTransformer

__all__ = ["FrozenTransformer", "FrozenTransformerModel"]
