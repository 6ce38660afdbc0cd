"""The ledger in a PostgreSQL. Its modules are imported one by one: the client library takes 13 MB."""
