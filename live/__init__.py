"""``make live``: what an AWS account says about everything that docs/aws-facts.md does not know."""
