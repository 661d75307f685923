"""What a sweep hands over: submission, leaderboard, result, and a model that predicts from raw rows."""
