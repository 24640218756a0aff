"""From features to numbers: similarity, ranking by the rules of clothes-changing re-identification, protocols."""
