"""Asks Transit of Vault or OpenBao for private keys, as docs/format.md has it: where VAULT_ADDR and VAULT_TOKEN say."""

import base64
import json
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request

import conclave_format as fmt


class Unavailable(Exception):
    """Why the service gives nothing, in words."""


def unwrap(master_key, wrapped, key_id, fingerprint):
    """`master_key` is `vault:<mount>/<key>`. Returns DER PKCS#8. Raises Refused or Unavailable."""
    mount, _, key = master_key.partition(':')[2].rpartition('/')
    derived = ask('GET', f'{mount}/keys/{key}')['data'].get('derived', False)
    request = fmt.transit_request(wrapped, key_id, fingerprint, derived)
    answer = ask('POST', f'{mount}/decrypt/{key}', request)
    return base64.b64decode(answer['data']['plaintext'])


def ask(method, path, body=None):
    address, token = os.environ.get('VAULT_ADDR'), os.environ.get('VAULT_TOKEN')
    if not address or not token:
        raise Unavailable('set VAULT_ADDR and VAULT_TOKEN to open it')
    headers = {'X-Vault-Token': token}
    if os.environ.get('VAULT_NAMESPACE'):
        headers['X-Vault-Namespace'] = os.environ['VAULT_NAMESPACE']
    data = None if body is None else json.dumps(body).encode('utf-8')
    url = f'{address.rstrip("/")}/v1/{urllib.parse.quote(path)}'
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    trusted = ssl.create_default_context(cafile=os.environ.get('VAULT_CACERT') or None)
    try:
        with urllib.request.urlopen(request, timeout=10, context=trusted) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if method == 'POST' and error.code == 400:
            raise fmt.Refused() from None
        raise Unavailable(f'Vault answers {error.code}') from None
    except (OSError, ValueError):
        raise Unavailable('Vault does not answer') from None
