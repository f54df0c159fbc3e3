"""[record] → table. A leaderboard is a pure function of a track and records; nothing here imports torch, pluggy or Optuna."""
