"""What ``make dist`` builds for plain CloudFormation: the provider's template, the function's zip, the schema."""
