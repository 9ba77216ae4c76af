-- Run by psql as the administrator, when the database is made: the roles and logins of docs/operations.md.
\set owner `cat /secrets/postgres-conclave_owner`
\set api `cat /secrets/postgres-conclave_api_1`
\set worker `cat /secrets/postgres-conclave_worker_1`

create role conclave_api nologin;
create role conclave_worker nologin;
create role conclave_owner login password :'owner';
create role conclave_api_1 login password :'api' in role conclave_api;
create role conclave_worker_1 login password :'worker' in role conclave_worker;
create database conclave owner conclave_owner;
