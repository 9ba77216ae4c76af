#!/usr/bin/env python3
"""Prints an export of Conclave in clear, with the private key of whom it was made for.

Written from docs/format-export.md, without a part of Conclave. It reads the file twice: once to check all of it, and,
when that has passed, once to print it. Neither takes more memory for a longer file.

    python3 read_export.py conversation.export recipient.pem
    python3 read_export.py --json conversation.export recipient.pem > records.jsonl

Needs `cryptography` (Debian: python3-cryptography). Ends with 0 when the export is whole and signed; with 3 when some
of its messages could not be opened as it was made; with 1 or 2 when it is refused: then nothing was printed.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import sys

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from terminal import shown

FORMAT, VERSION = 'conclave-export', 1
MAX_LINE_BYTES = 134_331_051
CURVES = {'P-256': ec.SECP256R1, 'P-384': ec.SECP384R1, 'P-521': ec.SECP521R1}
NAMES = {'secp256r1': 'P-256', 'secp384r1': 'P-384', 'secp521r1': 'P-521'}
TYPES = ('conversation', 'user', 'message', 'member')


class Refused(Exception):
    """The file is not what it has to be."""


def decoded(text):
    """The bytes of base64url in its one spelling: libraries ignore bits that stand for nothing."""
    if not isinstance(text, str) or not re.fullmatch(r'[A-Za-z0-9_-]*', text):
        raise Refused('holds what is no base64url')
    try:
        data = base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))
    except ValueError:
        raise Refused('holds what is no base64url') from None
    if encoded(data) != text:
        raise Refused('holds another spelling of base64url')
    return data


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def parsed(data, what):
    try:
        value = json.loads(data)
    except ValueError:
        raise Refused(f'has no JSON as {what}') from None
    if not isinstance(value, dict):
        raise Refused(f'has no object as {what}')
    return value


def same(one, other):
    """Equal, and of one type: to Python `true` is 1."""
    return type(one) is type(other) and one == other


def thumbprint(jwk):
    """RFC 7638, of the members that say which key it is."""
    members = {name: jwk[name] for name in ('crv', 'e', 'kty', 'n', 'x', 'y') if name in jwk}
    return encoded(hashlib.sha256(json.dumps(members, sort_keys=True, separators=(',', ':')).encode()).digest())


def number_bytes(number, length=None):
    return number.to_bytes(length or (number.bit_length() + 7) // 8, 'big')


def public_jwk(key):
    """The public half of a private key, as a JWK (RFC 7517)."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {'kty': 'RSA', 'n': encoded(number_bytes(numbers.n)), 'e': encoded(number_bytes(numbers.e))}
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in NAMES:
        numbers, size = public.public_numbers(), (public.curve.key_size + 7) // 8
        x, y = (encoded(number_bytes(part, size)) for part in (numbers.x, numbers.y))
        return {'kty': 'EC', 'crv': NAMES[public.curve.name], 'x': x, 'y': y}
    if isinstance(public, x25519.X25519PublicKey):
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {'kty': 'OKP', 'crv': 'X25519', 'x': encoded(raw)}
    raise Refused('is not for a key of that kind: RSA, P-256, P-384, P-521 and X25519 are')


def agreed_secret(key, epk):
    """ECDH with the ephemeral key of the header (RFC 7518, section 4.6; RFC 8037)."""
    if not isinstance(epk, dict):
        raise Refused('has no ephemeral key')
    try:
        if isinstance(key, x25519.X25519PrivateKey):
            return key.exchange(x25519.X25519PublicKey.from_public_bytes(decoded(epk.get('x'))))
        if epk.get('crv') != NAMES[key.curve.name]:
            raise Refused('has an ephemeral key of another curve')
        x, y = (int.from_bytes(decoded(epk.get(name)), 'big') for name in ('x', 'y'))
        return key.exchange(ec.ECDH(), ec.EllipticCurvePublicNumbers(x, y, key.curve).public_key())
    except ValueError:
        raise Refused('has an ephemeral key that is none') from None


def derived_key(secret, header):
    def field(data):
        return len(data).to_bytes(4, 'big') + data

    parties = [decoded(header.get(name, '')) for name in ('apu', 'apv')]
    other = field(b'ECDH-ES+A256KW') + b''.join(map(field, parties)) + (256).to_bytes(4, 'big')
    return ConcatKDFHash(hashes.SHA256(), 32, other).derive(secret)


def encryption_key(key, header, encrypted):
    """The key that the head is encrypted with, by the recipient's."""
    try:
        if isinstance(key, rsa.RSAPrivateKey):
            oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
            return key.decrypt(encrypted, oaep)
        return aes_key_unwrap(derived_key(agreed_secret(key, header.get('epk')), header), encrypted)
    except (ValueError, InvalidUnwrap):
        raise Refused('is not opened by this key') from None


class Jwe:
    """A compact JWE (RFC 7516), of which nothing was opened yet."""

    def __init__(self, line, algorithm):
        parts = line.split('.')
        if len(parts) != 5:
            raise Refused('has a line that is no JWE')
        self._protected = parts[0]
        self.header = parsed(decoded(parts[0]), 'a header')
        methods = (self.header.get('alg'), self.header.get('enc'))
        if methods != (algorithm, 'A256GCM') or 'zip' in self.header or 'crit' in self.header:
            raise Refused('has a line that is encrypted in another way')
        self.encrypted_key, self._iv, self._ciphertext, self._tag = map(decoded, parts[1:])

    def open(self, key):
        if len(key) != 32 or len(self._iv) != 12 or len(self._tag) != 16:
            raise Refused('has a key, an IV or a tag of another length')
        try:
            return AESGCM(key).decrypt(self._iv, self._ciphertext + self._tag, self._protected.encode())
        except InvalidTag:
            raise Refused('was changed, or put together from several') from None


def lines_of(path):
    with open(path, 'rb') as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            if len(line.rstrip(b'\n')) > MAX_LINE_BYTES:
                raise Refused('has a line that is too long')
            try:
                yield line.rstrip(b'\n').decode('ascii')
            except UnicodeDecodeError:
                raise Refused('has a line that is no JWE') from None


def opened_head(line, key):
    """Returns the content key, and the id of the export."""
    algorithm = 'RSA-OAEP-256' if isinstance(key, rsa.RSAPrivateKey) else 'ECDH-ES+A256KW'
    jwe = Jwe(line, algorithm)
    if jwe.header.get('typ') != FORMAT:
        raise Refused('is no export of Conclave')
    if jwe.header.get('kid') != thumbprint(public_jwk(key)):
        raise Refused(f'was made for the key {jwe.header.get("kid")}; this is {thumbprint(public_jwk(key))}')
    head = parsed(jwe.open(encryption_key(key, jwe.header, jwe.encrypted_key)), 'its head')
    if head.get('format') != FORMAT or not same(head.get('version'), VERSION):
        raise Refused(f'has version {head.get("version")} of the format; this reads {VERSION}')
    jwk = head.get('key')
    if set(head) != {'format', 'version', 'exportId', 'key'} or not isinstance(head['exportId'], str):
        raise Refused('has a head of other members')
    if not isinstance(jwk, dict) or set(jwk) != {'kty', 'k'} or jwk['kty'] != 'oct':
        raise Refused('has a head without a key')
    return decoded(jwk.get('k')), head['exportId']


class Export:
    """A file whose head this key opens. What is behind it is read anew each time."""

    def __init__(self, path, key):
        self._path = path
        self._content_key, self.id = opened_head(next(lines_of(path), ''), key)

    def rows(self):
        """Each line of the plaintext, and whether it is the last one, which is the manifest."""
        lines = lines_of(self._path)
        next(lines)
        for seq, line in enumerate(lines, start=1):
            rows, last = self._chunk(line, seq)
            for number, row in enumerate(rows, start=1):
                yield row, last and number == len(rows)
            if last:
                if next(lines, None) is not None:
                    raise Refused('has something behind its end')
                return
        raise Refused('ends in the middle: it was cut off')

    def _chunk(self, line, seq):
        jwe = Jwe(line, 'dir')
        is_in_place = jwe.header.get('export') == self.id and same(jwe.header.get('seq'), seq)
        last = jwe.header.get('last')
        if jwe.encrypted_key or not is_in_place or not isinstance(last, bool):
            raise Refused('was changed, or put together from several')
        rows = jwe.open(self._content_key).decode('utf-8').split('\n')
        if rows.pop() != '':
            raise Refused('has a chunk that ends within a line')
        return rows, last


def signed_manifest(row):
    """Returns what was signed, and the thumbprint of the key that has signed it."""
    jws = parsed(row, 'its manifest').get('jws')
    parts = jws.split('.') if isinstance(jws, str) else []
    if len(parts) != 3:
        raise Refused('has no manifest at its end')
    header = parsed(decoded(parts[0]), 'the header of its manifest')
    jwk = header.get('jwk')
    if header.get('alg') != 'EdDSA' or not isinstance(jwk, dict) or jwk.get('crv') != 'Ed25519' or 'crit' in header:
        raise Refused('has a manifest that is signed in another way')
    try:
        public = ed25519.Ed25519PublicKey.from_public_bytes(decoded(jwk.get('x')))
        public.verify(decoded(parts[2]), f'{parts[0]}.{parts[1]}'.encode())
    except (ValueError, InvalidSignature):
        raise Refused('has a manifest whose signature is wrong') from None
    return parsed(decoded(parts[1]), 'its manifest'), thumbprint(jwk)


def checked(export, recipient):
    """Reads all of it. Returns the manifest, and who has signed it."""
    digest, counts, unreadable, manifest = hashlib.sha256(), dict.fromkeys(TYPES, 0), 0, None
    for row, is_manifest in export.rows():
        if is_manifest:
            manifest = signed_manifest(row)
            continue
        record = parsed(row, 'a record')
        if record.get('type') not in counts:
            raise Refused('has a record of another type')
        counts[record['type']] += 1
        unreadable += record.get('status') in ('KEY_DESTROYED', 'UNREADABLE')
        digest.update(f'{row}\n'.encode())
    if manifest is None:
        raise Refused('has no manifest at its end')
    read = {
        **{'format': FORMAT, 'version': VERSION, 'exportId': export.id, 'recipient': recipient},
        **{'lines': sum(counts.values()), 'counts': counts, 'unreadable': unreadable, 'sha256': encoded(digest.digest())},
    }
    other = [name for name, value in read.items() if not same(manifest[0].get(name), value)]
    if other:
        raise Refused(f'is not what was signed: {", ".join(other)}')
    subject = manifest[0].get('subject')
    if not isinstance(subject, dict) or len(subject) != 1 or not set(subject) <= {'conversationId', 'userId'}:
        raise Refused('has a manifest without a subject')
    return manifest


def line_of(record):
    """What a person reads of it; None for a user, whose messages have the id."""
    if record['type'] == 'conversation':
        return f'{record["id"]}  {shown(record["title"]) if record.get("title") else "[no title]"}'
    if record['type'] == 'member':
        return f'member {shown(record["userId"])}, {record["role"].lower()}'
    if record['type'] == 'user':
        return None
    who = 'system' if record.get('senderId') is None else shown(record['senderId'])
    edited = ' (edited)' if record.get('editedAt') and record.get('body') is not None else ''
    labels = {'DELETED': '[deleted]', 'KEY_DESTROYED': '[key destroyed]', 'UNREADABLE': '[unreadable]'}
    what = labels.get(record['status']) or shown(record['body']).replace('\n', '\n    ')
    return f'#{record["sequence"]}  {record["createdAt"]}  {who}{edited}: {what}'


def print_rows(export, as_json):
    for row, is_manifest in export.rows():
        line = None if is_manifest else row if as_json else line_of(json.loads(row))
        if line is not None:
            print(line)


def parse_arguments():
    parser = argparse.ArgumentParser(description='Prints an export of Conclave in clear.')
    parser.add_argument('export', help='the file')
    parser.add_argument('key', help='the private key of the recipient, PEM without a passphrase')
    parser.add_argument('--json', action='store_true', help='the records as they stand, JSON Lines')
    parser.add_argument('--signed-by', help='thumbprint that the deployment has published; another one is refused')
    return parser.parse_args(joined(sys.argv[1:], '--signed-by'))


def joined(words, option):
    """The words, with the value that follows an option as a part of it: one thumbprint in 64 begins with a dash."""
    if option not in words[:-1]:
        return words
    at = words.index(option)
    return words[:at] + [f'{option}={words[at + 1]}'] + words[at + 2 :]


def main():
    sys.stdout.reconfigure(encoding='utf-8')
    arguments = parse_arguments()
    try:
        with open(arguments.key, 'rb') as file:
            key = serialization.load_pem_private_key(file.read(), None)
        export = Export(arguments.export, key)
        manifest, signer = checked(export, thumbprint(public_jwk(key)))
        if arguments.signed_by not in (None, signer):
            raise Refused(f'was signed by {signer}')
        print(f'Whole, and signed by {signer}.', file=sys.stderr)
        print_rows(export, arguments.json)
    except Refused as refused:
        sys.exit(f'{arguments.export} {refused}.')
    except (OSError, ValueError, TypeError) as error:
        sys.exit(f'{arguments.export} and {arguments.key} cannot be read: {error}.')
    except BrokenPipeError:
        # Whoever reads the output has seen enough.
        os._exit(1)
    if manifest['unreadable']:
        print('Some messages could not be opened when it was made.', file=sys.stderr)
        sys.exit(3)


if __name__ == '__main__':
    main()
