"""``make live``: finds out on an AWS account what docs/design/aws-facts.md does not know."""
