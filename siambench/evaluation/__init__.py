"""Model → embeddings → scores; and the scores of embeddings that somebody brings."""
