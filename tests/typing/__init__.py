"""Programs of users, right and wrong, and the test that has them checked."""
