"""One search by several tools: the same data, folds, network, epochs and values; each is a process of its own."""
