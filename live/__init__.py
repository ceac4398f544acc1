"""``make live``: what an AWS account says about everything that docs/design/aws-facts.md does not know."""
