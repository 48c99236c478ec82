"""The studies: each one says what varies, what is measured, which tables and pictures follow."""
