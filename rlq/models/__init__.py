"""Parts of networks that methods combine: the backbone in blocks, necks and heads."""
