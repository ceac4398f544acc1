"""Local AWS: MiniStack, with Secrets Manager replication that behaves as AWS's does."""
