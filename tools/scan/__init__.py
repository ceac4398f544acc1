"""``make scan``: the findings of cdk-nag, cfn-lint and checkov in the synthesized stacks, and why they stay."""
