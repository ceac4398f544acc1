"""``make demo``: a replicated secret from its first deployment to its removal, on local AWS, with the real CDK CLI."""
