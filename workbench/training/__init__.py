"""Room 3: one configuration on every split of a plan, whatever the library; bundles that predict again."""
