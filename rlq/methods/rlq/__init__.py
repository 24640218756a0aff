"""RLQ: a base model of two branches, coarse attributes (CAP) and task-agnostic distillation (TAD)."""
