"""The commands beside ``run`` and ``leaderboard``, by what they are for. Light: what a command needs is imported when it is called."""
