#!/bin/sh
# Makes the secrets of compose.yaml in a folder, once: each a file that one user can read, the one of its container.
set -eu
umask 077
cd "$1"
[ ! -e complete ] || exit 0

POSTGRES=999
API=10001
WORKER=10002
MIGRATE=10003
OPENBAO=10004
REDIS=10005

random() { head -c 32 /dev/urandom | base64 | tr -d '=\n' | tr '+/' '-_'; }

# keep USER FILE TEXT
keep() {
  rm -f "$2"
  printf '%s\n' "$3" > "$2"
  chmod 400 "$2"
  chown "$1:$1" "$2"
}

# database USER FILE LOGIN: its password for PostgreSQL, and the URL with it for who logs in
database() {
  password=$(random)
  keep "$POSTGRES" "postgres-$3" "$password"
  keep "$1" "$2" "postgres://$3:$password@postgres:5432/conclave"
}

chmod 711 .
database "$MIGRATE" migrate-database-url conclave_owner
database "$API" api-database-url conclave_api_1
database "$WORKER" worker-database-url conclave_worker_1
keep "$POSTGRES" postgres-password "$(random)"

password=$(random)
keep "$REDIS" redis-password "$password"
# It holds nothing that is not in the database as well; a queue must not be evicted.
keep "$REDIS" redis.conf "requirepass $password
save \"\"
appendonly no
maxmemory-policy noeviction"
url=redis://:$password@redis:6379
keep "$MIGRATE" migrate-redis-url "$url"
keep "$API" api-redis-url "$url"
keep "$WORKER" worker-redis-url "$url"

secret=$(random)
keep "$API" api-jwt-secret "$secret"
keep "$WORKER" worker-jwt-secret "$secret"

token=$(random)
keep "$OPENBAO" openbao-root-token "$token"
keep 0 transit-root-token "$token"
mkdir -p tls
chmod 755 tls
chown "$OPENBAO:$OPENBAO" tls

: > complete
