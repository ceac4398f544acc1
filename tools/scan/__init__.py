"""``make scan``: what cdk-nag, cfn-lint and checkov say of the synthesized stacks, and the reasons."""
