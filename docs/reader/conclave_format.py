"""The bytes of Conclave, as docs/format.md has them: from bytes to what they hold. No database, no network.

Written from that page. Needs the package `cryptography`, 38 or newer (Debian: python3-cryptography).
"""

import base64
import hashlib
import re
import struct
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FORMAT = 1
A256GCM, RSA_OAEP_256, HKDF_SHA256_A256GCM, VAULT_TRANSIT, AWS_KMS = 1, 2, 3, 4, 5

HEADER_BYTES = 2
SALT_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
KEY_BYTES = 32
FINGERPRINT_BYTES = 32
WRAP_INFO = b'conclave/private-key-wrap/1'


class Refused(Exception):
    """Could not be opened. Why is not said: a wrong key, damage and a moved ciphertext are one failure."""

    def __init__(self, message='does not open'):
        super().__init__(message)


# Envelopes


def payload_of(envelope, suite):
    """The bytes behind the header. Refuses another format or suite, and names a number that this reader does not know."""
    if len(envelope) < HEADER_BYTES:
        raise Refused()
    if envelope[0] != FORMAT:
        raise Refused(f'format {envelope[0]} is unknown to this reader')
    if envelope[1] != suite:
        known = A256GCM <= envelope[1] <= AWS_KMS
        raise Refused() if known else Refused(f'suite {envelope[1]} is unknown to this reader')
    return envelope[HEADER_BYTES:]


# Associated data


def message_associated_data(conversation_id, message_id, sender_id, data_key_id, revision):
    """`sender_id` is None for a message of the system."""
    sender = b'\x00' if sender_id is None else b'\x01' + sender_id.encode('utf-8')
    fields = [uuid_bytes(conversation_id), uuid_bytes(message_id), sender, uuid_bytes(data_key_id), uint32(revision)]
    return length_prefixed([b'conclave/message/1', *fields])


def title_associated_data(conversation_id, data_key_id, revision):
    fields = [uuid_bytes(conversation_id), uuid_bytes(data_key_id), uint32(revision)]
    return length_prefixed([b'conclave/title/1', *fields])


def private_key_associated_data(key_id, fingerprint):
    if len(fingerprint) != FINGERPRINT_BYTES:
        raise ValueError('a fingerprint has 32 bytes')
    return length_prefixed([b'conclave/private-key/1', uuid_bytes(key_id), fingerprint])


def length_prefixed(fields):
    return b''.join(struct.pack('>I', len(field)) + field for field in fields)


def uuid_bytes(text):
    if not re.fullmatch('[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}', str(text)):
        raise ValueError('not a UUID')
    return uuid.UUID(str(text)).bytes


def uint32(number):
    if not isinstance(number, int) or not 0 <= number < 2**32:
        raise ValueError('a revision is an integer of 32 bits')
    return struct.pack('>I', number)


# Messages and titles


def open_content(data_key, envelope, associated_data):
    """Opens a message or a title. Returns text."""
    plaintext = open_gcm(data_key, payload_of(envelope, A256GCM), associated_data)
    try:
        return plaintext.decode('utf-8')
    except UnicodeDecodeError:
        raise Refused() from None


def open_gcm(key, sealed, associated_data):
    """`sealed` is nonce, ciphertext and tag. The library takes the last 16 bytes as the tag, and no other length."""
    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise Refused()
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated_data)
    except InvalidTag:
        raise Refused() from None


# Keys


def fingerprint_of(public_key):
    """SHA-256 of a DER SubjectPublicKeyInfo."""
    return hashlib.sha256(public_key).digest()


def require_whole_der(der):
    """Libraries read a key and ignore what follows it. RSA keys of these sizes have two bytes of length (X.690, 8.1.3.5)."""
    if len(der) < 4 or der[:2] != b'\x30\x82' or struct.unpack('>H', der[2:4])[0] != len(der) - 4:
        raise Refused()


def load_public_key(der):
    require_whole_der(der)
    try:
        key = serialization.load_der_public_key(der)
    except Exception:
        raise Refused() from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise Refused()
    return key


def load_private_key(der, expected_fingerprint):
    """Refuses a key that is not RSA, or whose public half has another fingerprint."""
    require_whole_der(der)
    try:
        key = serialization.load_der_private_key(der, password=None)
    except Exception:
        raise Refused() from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Refused()
    public_key = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    if fingerprint_of(public_key) != expected_fingerprint:
        raise Refused()
    return key


def unwrap_data_key(private_key, wrapped):
    ciphertext = payload_of(wrapped, RSA_OAEP_256)
    if len(ciphertext) != private_key.key_size // 8:
        raise Refused()
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
    try:
        data_key = private_key.decrypt(ciphertext, oaep)
    except ValueError:
        raise Refused() from None
    if len(data_key) != KEY_BYTES:
        raise Refused()
    return data_key


def unwrap_local_private_key(master_secret, wrapped, key_id, fingerprint):
    """Returns DER PKCS#8."""
    payload = payload_of(wrapped, HKDF_SHA256_A256GCM)
    if len(payload) <= SALT_BYTES + NONCE_BYTES + TAG_BYTES:
        raise Refused()
    hkdf = HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=payload[:SALT_BYTES], info=WRAP_INFO)
    wrapping_key = hkdf.derive(master_secret)
    return open_gcm(wrapping_key, payload[SALT_BYTES:], private_key_associated_data(key_id, fingerprint))


TRANSIT_TEXT = re.compile(r'vault:v[1-9][0-9]{0,9}:([A-Za-z0-9+/]+={0,2})', re.ASCII)


def transit_request(wrapped, key_id, fingerprint, derived):
    """What to POST to Transit's `decrypt`: its answer's `plaintext` is base64 of DER PKCS#8."""
    text = payload_of(wrapped, VAULT_TRANSIT).decode('latin-1')
    match = TRANSIT_TEXT.fullmatch(text)
    if not match or not is_canonical_base64(match[1]):
        raise Refused()
    bound = base64.b64encode(private_key_associated_data(key_id, fingerprint)).decode('ascii')
    return {'ciphertext': text, 'context' if derived else 'associated_data': bound}


def is_canonical_base64(text):
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode('ascii') == text
    except ValueError:
        return False


KEY_ARN = re.compile(r'(arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:)key/([A-Za-z0-9-]{1,64})', re.ASCII)


def kms_request(master_key, wrapped, key_id, fingerprint, arn_of_master_key):
    """The input of `Decrypt` of AWS KMS. `arn_of_master_key` is what `DescribeKey` says of the name in `master_key`."""
    payload = payload_of(wrapped, AWS_KMS)
    if len(payload) < 2:
        raise Refused()
    end = 2 + struct.unpack('>H', payload[:2])[0]
    arn = payload[2:end].decode('latin-1')
    match, own = KEY_ARN.fullmatch(arn), KEY_ARN.fullmatch(arn_of_master_key)
    if not match or not own or len(payload) <= end:
        raise Refused()
    same_home = ':alias/' in master_key and match[1] == own[1]
    if arn != arn_of_master_key and not same_home:
        raise Refused()
    context = {'keyId': str(uuid.UUID(str(key_id))), 'fingerprint': fingerprint.hex()}
    return {'KeyId': arn, 'CiphertextBlob': payload[end:], 'EncryptionContext': context}


SECRET_ENTRY = re.compile(r'([A-Za-z0-9._-]{1,64})=([A-Za-z0-9+/]{43}=)', re.ASCII)


def parse_master_secrets(text):
    """`id=base64` entries to bytes by id. Raises ValueError with the place of a bad entry, and never with its text."""
    lines = [line for line in text.split('\n') if not line.lstrip().startswith('#')]
    entries = [entry.strip() for line in lines for entry in line.split(',')]
    secrets = {}
    for place, entry in enumerate((entry for entry in entries if entry), 1):
        match = SECRET_ENTRY.fullmatch(entry)
        if not match or not is_canonical_base64(match[2]):
            raise ValueError(f'master secret {place} is not id=base64 of 32 bytes')
        if match[1] in secrets:
            raise ValueError(f'master secret {place} has an id that is there already')
        secrets[match[1]] = base64.b64decode(match[2])
    if not secrets:
        raise ValueError('there is no master secret: give id=base64')
    return secrets


# The audit trail

CHAINS = 16


def key_event_hash(previous, event):
    """`event` is a mapping with sequence, at (text), actor, action, conversation_id, key_version and detail."""
    digest = hashlib.sha256(previous)
    for name in ('sequence', 'at', 'actor', 'action', 'conversation_id', 'key_version', 'detail'):
        if event[name] is None:
            digest.update(b'\xff\xff\xff\xff')
        else:
            value = str(event[name]).encode('utf-8')
            digest.update(struct.pack('>I', len(value)) + value)
    return digest.digest()


def first_invalid_sequence(chain_of, heads):
    """None for a trail that is valid. `chain_of` gives the events of a chain in order, `heads` count and hash by chain."""
    anchored = {}
    found = [_first_invalid_of(chain, chain_of(chain), heads, anchored) for chain in range(CHAINS)]
    return min((sequence for sequence in found if sequence is not None), default=None)


def _first_invalid_of(chain, events, heads, anchored):
    count, head = heads.get(chain, (0, bytes(32)))
    last, read = bytes(32), 0
    for event in events:
        expected = read * CHAINS + chain + 1
        if read == count:
            return event['sequence']
        last = key_event_hash(last, event)
        as_anchored = anchored.get(event['sequence'], last) == last
        if event['sequence'] != expected or event['hash'] != last or not as_anchored:
            return min(event['sequence'], expected)
        read += 1
        if event['action'] == 'audit.anchored':
            _note_anchor(event['detail'], anchored)
    anchored_count = max(((s - chain - 1) // CHAINS + 1 for s in anchored if (s - 1) % CHAINS == chain), default=0)
    complete = read == count and head == last and anchored_count <= read
    return None if complete else read * CHAINS + chain + 1


def _note_anchor(detail, anchored):
    for entry in (detail or '').split(' '):
        match = re.fullmatch('([0-9]+):([0-9]+):([0-9a-f]{64})', entry)
        if match and int(match[2]) > 0:
            sequence = (int(match[2]) - 1) * CHAINS + int(match[1]) + 1
            anchored[sequence] = bytes.fromhex(match[3])


# Public ids and cursors


def base64url(data):
    return base64.urlsafe_b64encode(data).decode('ascii').rstrip('=')


def from_base64url(text):
    """Refuses every spelling but the one."""
    try:
        data = base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))
    except ValueError:
        raise Refused() from None
    if base64url(data) != text:
        raise Refused()
    return data


def decode_message_id(text):
    """Returns the UUIDs of the conversation and of the message."""
    data = from_base64url(text)
    if len(data) != 32:
        raise Refused()
    return str(uuid.UUID(bytes=data[:16])), str(uuid.UUID(bytes=data[16:]))


IMPORTED = uuid.UUID('c0c1a7e0-7d1b-4c5e-9a55-0d6e2f3b8a41')


def import_id(source, conversation_id, reference, line):
    """The UUID of a conversation (without `conversation_id`), or of a message, that an import has stored."""
    if reference is not None and re.fullmatch(UUID, reference.lower()):
        return reference.lower()
    if conversation_id is None:
        return str(uuid.uuid5(IMPORTED, f'conversation\n{source}\n{reference}'))
    name = f'line\n{conversation_id}\n{line}' if reference is None else f'message\n{conversation_id}\n{reference}'
    return str(uuid.uuid5(IMPORTED, name))


TIME = r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z'
NUMBER = r'(0|[1-9]\d{0,14})'
UUID = '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
POSITIONS = {
    'message': NUMBER,
    'event': NUMBER,
    'member': f'{TIME} .+',
    'conversation': f'{TIME} {UUID}',
    'key': f'{UUID} (0|[1-9][0-9]{{0,8}})',
    'key-event': f'{NUMBER}( {NUMBER}){{15}}|{NUMBER}',
}


def decode_cursor(kind, scope, text):
    """Returns the position."""
    data = from_base64url(text)
    if len(data) < 9 or data[0] != 1:
        raise Refused()
    try:
        position = data[9:].decode('utf-8')
    except UnicodeDecodeError:
        raise Refused() from None
    hashed = ','.join(f'{len(part.encode("utf-8"))}:{part}' for part in (kind, scope, position))
    if hashlib.sha256(hashed.encode('utf-8')).digest()[:8] != data[1:9]:
        raise Refused()
    if not re.fullmatch(POSITIONS[kind], position, re.ASCII):
        raise Refused()
    if kind == 'message' and int(position) > 2147483647:
        raise Refused()
    return position
