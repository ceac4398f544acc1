"""`make compat`: the wheel with the lowest and the newest aws-cdk-lib, the examples, and the types of a user."""
