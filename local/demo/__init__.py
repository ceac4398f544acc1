"""``make demo``: the main job, from nothing to nothing, on local AWS through the real CDK CLI."""
