#!/bin/sh
# Gives OpenBao its Transit key, and each process of Conclave a token that may use it. OpenBao in dev mode forgets all
# of it when it ends: the key is put back from a copy, without which nothing that was stored could be read.
set -eu
umask 077
cd "$1"
BAO_TOKEN=$(cat transit-root-token)
export BAO_TOKEN

# keep USER FILE TEXT, in the place of what was there
keep() {
  printf '%s\n' "$3" > "$2.new"
  chmod 400 "$2.new"
  chown "$1:$1" "$2.new"
  mv -f "$2.new" "$2"
}

bao secrets list | grep -q '^transit/' || bao secrets enable transit
if ! bao read transit/keys/conclave > /dev/null 2>&1; then
  if [ -e transit-backup ]; then
    bao write transit/restore/conclave backup=@transit-backup
  else
    bao write transit/keys/conclave exportable=true allow_plaintext_backup=true
  fi
fi
backup=$(bao read -field=backup transit/backup/conclave)
keep 0 transit-backup "$backup"

bao policy write conclave - << END
path "transit/keys/conclave" { capabilities = ["read"] }
path "transit/encrypt/conclave" { capabilities = ["update"] }
path "transit/decrypt/conclave" { capabilities = ["update"] }
path "transit/rewrap/conclave" { capabilities = ["update"] }
END
for user in api:10001 worker:10002; do
  token=$(bao token create -policy=conclave -period=24h -orphan -field=token)
  keep "${user#*:}" "${user%:*}-vault-token" "$token"
done
