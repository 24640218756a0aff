"""Parts that methods put together: the cut backbone, necks and heads."""
