-- Run once, when PostgreSQL's volume is empty. The database `workbench` (ledgers) is made by the image itself.
CREATE DATABASE mlflow;
