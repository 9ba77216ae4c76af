#!/usr/bin/env python3
"""Holds conclave_format.py to test/vectors: what is valid comes out as it should, and what is not is refused.

    python3 check_vectors.py ../../test/vectors
"""

import json
import pathlib
import sys

import conclave_format as fmt
import read_export

CONTEXT = {
    'conversationId': 'conversation_id',
    'messageId': 'message_id',
    'senderId': 'sender_id',
    'dataKeyId': 'data_key_id',
    'revision': 'revision',
}


def named(context):
    return {CONTEXT[name]: value for name, value in context.items()}


def associated_data(vector):
    context = vector['context']
    if vector['purpose'] == 'message':
        data = fmt.message_associated_data(**named(context))
    elif vector['purpose'] == 'title':
        data = fmt.title_associated_data(**named(context))
    else:
        data = fmt.private_key_associated_data(context['keyId'], bytes.fromhex(context['fingerprint']))
    return data.hex(), vector['associatedData']


def message(vector):
    return content(vector, fmt.message_associated_data(**named(vector['context']))), vector['body']


def title(vector):
    return content(vector, fmt.title_associated_data(**named(vector['context']))), vector['title']


def content(vector, data):
    return fmt.open_content(bytes.fromhex(vector['dataKey']), bytes.fromhex(vector['envelope']), data)


def wrapped_data_key(vector):
    der = bytes.fromhex(vector['privateKey'])
    private_key = fmt.serialization.load_der_private_key(der, password=None)
    return fmt.unwrap_data_key(private_key, bytes.fromhex(vector['wrappedKey'])).hex(), vector['dataKey']


def fingerprint(vector):
    public_key = bytes.fromhex(vector['publicKey'])
    fmt.load_public_key(public_key)
    fmt.load_private_key(bytes.fromhex(vector['privateKey']), fmt.fingerprint_of(public_key))
    return fmt.fingerprint_of(public_key).hex(), vector['fingerprint']


def bound(vector):
    return bytes.fromhex(vector['wrapped']), vector['keyId'], bytes.fromhex(vector['fingerprint'])


def local_private_key(vector):
    der = fmt.unwrap_local_private_key(bytes.fromhex(vector['masterSecret']), *bound(vector))
    return der.hex(), vector['privateKey']


def vault_private_key(vector):
    """As far as the request: the rest is the service's."""
    return fmt.transit_request(*bound(vector), vector['derived']), vector['request']


def kms_private_key(vector):
    request = fmt.kms_request(vector['masterKey'], *bound(vector), vector['describedArn'])
    return {**request, 'CiphertextBlob': request['CiphertextBlob'].hex()}, vector['request']


def key_events(vector):
    names = {'conversationId': 'conversation_id', 'keyVersion': 'key_version'}
    events = [{names.get(name, name): value for name, value in event.items()} for event in vector['events']]
    for event in events:
        event['hash'] = bytes.fromhex(event['hash'])
    chain_of = lambda chain: [event for event in events if (event['sequence'] - 1) % fmt.CHAINS == chain]
    heads = {head['shard']: (head['count'], bytes.fromhex(head['hash'])) for head in vector['heads']}
    return fmt.first_invalid_sequence(chain_of, heads), vector['firstInvalidSequence']


def cursor(vector):
    return fmt.decode_cursor(vector['kind'], vector['scope'], vector['cursor']), vector['position']


def message_id(vector):
    return fmt.decode_message_id(vector['id']), (vector['conversationId'], vector['messageId'])


def export_signing_key(vector):
    der = fmt.unwrap_local_private_key(bytes.fromhex(vector['masterSecret']), *bound(vector))
    public_key = bytes.fromhex(vector['publicKey'])
    key = fmt.serialization.load_der_public_key(public_key)
    raw = key.public_bytes(fmt.serialization.Encoding.Raw, fmt.serialization.PublicFormat.Raw)
    jwk = {'kty': 'OKP', 'crv': 'Ed25519', 'x': read_export.encoded(raw)}
    found = (der.hex(), fmt.fingerprint_of(public_key).hex(), read_export.thumbprint(jwk))
    return found, (vector['privateKey'], vector['fingerprint'], vector['thumbprint'])


def import_id(vector):
    source, conversation_id, reference = vector['source'], vector['conversationId'], vector['reference']
    found = fmt.import_id(source, conversation_id, reference, vector['line'])
    if found != vector['id']:
        raise fmt.Refused('is the id of something else')
    return found, vector['id']


CHECKS = {
    'associated-data': associated_data,
    'messages': message,
    'titles': title,
    'wrapped-data-keys': wrapped_data_key,
    'fingerprints': fingerprint,
    'local-private-keys': local_private_key,
    'vault-private-keys': vault_private_key,
    'kms-private-keys': kms_private_key,
    'key-events': key_events,
    'cursors': cursor,
    'message-ids': message_id,
    'export-signing-keys': export_signing_key,
    'import-ids': import_id,
}


def fault(name, vector):
    """None for a case that goes as it says. Of key services a case may be refused by the service: it is asked then."""
    answers = vector['result'] == 'valid' or name == 'key-events' or vector.get('request') is not None
    try:
        found, expected = CHECKS[name](vector)
    except (fmt.Refused, ValueError):
        return 'refused' if answers else None
    if not answers:
        return 'accepted'
    return None if found == expected else f'{found} instead of {expected}'


def main():
    folder = pathlib.Path(sys.argv[1])
    checked, faults = 0, []
    for name in CHECKS:
        for vector in json.loads((folder / f'{name}.json').read_text(encoding='utf-8'))['vectors']:
            checked += 1
            found = fault(name, vector)
            if found:
                faults.append(f'{name}: {vector["result"]} case "{vector["name"]}": {found}')
    for line in faults:
        print(line)
    print(f'{checked} cases, {len(faults)} faults')
    sys.exit(1 if faults else 0)


if __name__ == '__main__':
    main()
