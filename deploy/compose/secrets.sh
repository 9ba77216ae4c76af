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

chmod 711 .
for login in owner api worker; do
  password=$(random)
  keep "$POSTGRES" "postgres-$login" "$password"
  url="postgres://conclave_$login:$password@postgres:5432/conclave"
  case $login in
    owner) keep "$MIGRATE" migrate-database-url "$url" ;;
    api) keep "$API" api-database-url "$url" ;;
    worker) keep "$WORKER" worker-database-url "$url" ;;
  esac
done
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
