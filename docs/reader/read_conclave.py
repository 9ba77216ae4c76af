#!/usr/bin/env python3
"""Prints a conversation of Conclave in clear, from its PostgreSQL database and the master key.

A second reader, written from docs/format.md: for an auditor, a court, or whoever inherits the database without the
program. It only reads, in one read-only transaction, and needs no more rights than to select.

    export DATABASE_URL=postgres://…  MASTER_SECRETS_FILE=secrets
    python3 read_conclave.py --list
    python3 read_conclave.py 019a2f4e-7b10-7c3d-8e5f-0a1b2c3d4e5f

Needs `cryptography` and `psycopg` (Debian: python3-cryptography, python3-psycopg). Ends with 0 when everything was
read that there is; with 3 when something is left that could not be opened; with 1 or 2 when it could not begin.
"""

import argparse
import datetime
import json
import os
import sys

import conclave_format as fmt
import transit
from terminal import shown

try:
    import psycopg
    from psycopg.rows import dict_row
except ImportError:
    sys.exit('psycopg is missing: install python3-psycopg, or pip install "psycopg[binary]".')

MESSAGES = """
    select x.conversation_id, x.sequence, x.id, x.kind, x.sender_id, x.data_key_id, x.envelope, x.revision,
           x.reply_to_id, x.created_at, x.edited_at, x.deleted_at
      from messages x where x.conversation_id = %s order by x.sequence"""

KEY_OF = """
    select d.wrapped_key, k.version, k.state, k.key_id, k.public_key, k.wrapped_private_key, k.master_key
      from data_keys d
      join conversation_keys k on k.conversation_id = d.conversation_id and k.version = d.key_version
     where d.conversation_id = %s and d.id = %s"""

CONVERSATIONS = """
    select id, title, title_data_key_id, title_revision, last_sequence, created_at, deleted_at
      from conversations {} order by created_at, id"""


class Closed(Exception):
    """Why something is not shown: a status, and in words."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status


class Keyring:
    """Opens data keys: master secret, private key, data key. Each once."""

    def __init__(self, connection, secrets):
        self._connection = connection
        self._secrets = secrets
        self._private_keys = {}
        self._data_keys = {}

    def data_key(self, conversation_id, data_key_id):
        place = (conversation_id, data_key_id)
        if place not in self._data_keys:
            try:
                self._data_keys[place] = self._open(conversation_id, data_key_id)
            except Closed as closed:
                self._data_keys[place] = closed
        found = self._data_keys[place]
        if isinstance(found, Closed):
            raise found
        return found

    def _open(self, conversation_id, data_key_id):
        row = self._connection.execute(KEY_OF, (conversation_id, data_key_id)).fetchone()
        if row is None:
            raise Closed('UNREADABLE', 'its data key is not in the database')
        if row['state'] == 'DESTROYED' or row['wrapped_key'] is None:
            raise Closed('KEY_DESTROYED', f'key version {row["version"]} is destroyed')
        if row['state'] == 'PENDING_DESTRUCTION':
            raise Closed('UNREADABLE', f'key version {row["version"]} waits for its destruction')
        private_key = self._private_key(conversation_id, row)
        try:
            return fmt.unwrap_data_key(private_key, row['wrapped_key'])
        except fmt.Refused as refused:
            raise Closed('UNREADABLE', f'its data key {refused}') from None

    def _private_key(self, conversation_id, row):
        place = (conversation_id, row['version'])
        if place not in self._private_keys:
            self._private_keys[place] = self._unwrap(row)
        return self._private_keys[place]

    def _unwrap(self, row):
        if row['master_key'] is None or row['wrapped_private_key'] is None:
            raise Closed('UNREADABLE', f'key version {row["version"]} has no private key')
        print_of = fmt.fingerprint_of(row['public_key'])
        try:
            return fmt.load_private_key(self._unwrap_bytes(row, print_of), print_of)
        except fmt.Refused as refused:
            raise Closed('UNREADABLE', f'the private key of version {row["version"]} {refused}') from None
        except transit.Unavailable as why:
            raise Closed('UNREADABLE', f'its key lies under {row["master_key"]}: {why}') from None

    def _unwrap_bytes(self, row, print_of):
        scheme, _, name = row['master_key'].partition(':')
        wrapped, key_id = row['wrapped_private_key'], row['key_id']
        if scheme == 'vault':
            return transit.unwrap(row['master_key'], wrapped, key_id, print_of)
        if scheme != 'local':
            raise Closed('UNREADABLE', f'its key lies under {row["master_key"]}: move the keys to a local secret first')
        if name not in self._secrets:
            raise Closed('UNREADABLE', f'its key lies under {row["master_key"]}, of which there is no secret here')
        return fmt.unwrap_local_private_key(self._secrets[name], wrapped, key_id, print_of)


def opened_message(keyring, row):
    """A message as a mapping of plain values: what is not shown has a reason."""
    status, body, reason = 'READABLE', None, None
    try:
        body = message_body(keyring, row)
    except Closed as closed:
        status, reason = closed.status, str(closed)
    return {
        'sequence': row['sequence'],
        'id': str(row['id']),
        'kind': row['kind'],
        'sender': row['sender_id'],
        'status': status,
        'body': body,
        'reason': reason,
        'revision': row['revision'],
        'replyTo': row['reply_to_id'] and str(row['reply_to_id']),
        'createdAt': time_text(row['created_at']),
        'editedAt': time_text(row['edited_at']),
        'deletedAt': time_text(row['deleted_at']),
    }


def message_body(keyring, row):
    if row['deleted_at'] is not None or row['envelope'] is None:
        raise Closed('DELETED', 'deleted')
    conversation_id, data_key_id = row['conversation_id'], row['data_key_id']
    data_key = keyring.data_key(conversation_id, data_key_id)
    context = fmt.message_associated_data(
        conversation_id, row['id'], row['sender_id'], data_key_id, row['revision']
    )
    try:
        return fmt.open_content(data_key, row['envelope'], context)
    except fmt.Refused as refused:
        raise Closed('UNREADABLE', f'the message {refused}') from None


def title_of(keyring, row):
    """None for a conversation without a title."""
    if row['title'] is None:
        return None
    data_key = keyring.data_key(row['id'], row['title_data_key_id'])
    context = fmt.title_associated_data(row['id'], row['title_data_key_id'], row['title_revision'])
    try:
        return fmt.open_content(data_key, row['title'], context)
    except fmt.Refused as refused:
        raise Closed('UNREADABLE', f'the title {refused}') from None


def opened_conversation(keyring, row):
    title, status, reason = None, 'READABLE', None
    try:
        title = title_of(keyring, row)
    except Closed as closed:
        status, reason = closed.status, str(closed)
    return {
        'conversation': str(row['id']),
        'title': title,
        'titleStatus': status,
        'reason': reason,
        'messages': row['last_sequence'],
        'createdAt': time_text(row['created_at']),
        'deletedAt': time_text(row['deleted_at']),
    }


def streamed(connection, query, values):
    """One row after the other: a long conversation takes no more memory than a short one."""
    with connection.cursor(name='rows') as cursor:
        cursor.itersize = 500
        cursor.execute(query, values)
        yield from cursor


def time_text(time):
    return time and time.astimezone(datetime.timezone.utc).isoformat(timespec='milliseconds').replace('+00:00', 'Z')


def conversation_line(conversation):
    title = conversation['title']
    if conversation['titleStatus'] != 'READABLE':
        title = f'[title: {conversation["reason"]}]'
    elif title is None:
        title = '[no title]'
    return f'{conversation["conversation"]}  {conversation["messages"]:>6}  {shown(title)}'


def message_lines(message):
    who = 'system' if message['sender'] is None else shown(message['sender'])
    edited = ' (edited)' if message['editedAt'] and message['status'] == 'READABLE' else ''
    if message['status'] == 'READABLE':
        what = shown(message['body']).replace('\n', '\n    ')
    elif message['status'] == 'DELETED':
        what = '[deleted]'
    else:
        label = 'key destroyed' if message['status'] == 'KEY_DESTROYED' else 'unreadable'
        what = f'[{label}: {message["reason"]}]'
    return f'#{message["sequence"]}  {message["createdAt"]}  {who}{edited}: {what}'


def secrets_of(arguments):
    path = arguments.secrets_file or os.environ.get('MASTER_SECRETS_FILE')
    text = os.environ.get('MASTER_SECRETS', '')
    if path:
        with open(path, encoding='utf-8') as file:
            text = file.read()
    # With everything under Vault there is none.
    if not text.strip() and os.environ.get('VAULT_ADDR'):
        return {}
    return fmt.parse_master_secrets(text)


def read(arguments, secrets):
    """Returns whether something could not be opened."""
    with psycopg.connect(arguments.database, row_factory=dict_row) as connection:
        connection.read_only = True
        # A rotation or a re-encryption may go on meanwhile.
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        keyring = Keyring(connection, secrets)
        if arguments.list:
            return list_conversations(connection, keyring, arguments.json)
        return print_conversation(connection, keyring, arguments)


def list_conversations(connection, keyring, as_json):
    unreadable = False
    for row in streamed(connection, CONVERSATIONS.format(''), ()):
        conversation = opened_conversation(keyring, row)
        unreadable |= conversation['titleStatus'] == 'UNREADABLE'
        print(json.dumps(conversation, ensure_ascii=False) if as_json else conversation_line(conversation))
    return unreadable


def print_conversation(connection, keyring, arguments):
    row = connection.execute(CONVERSATIONS.format('where id = %s'), (arguments.conversation,)).fetchone()
    if row is None:
        sys.exit(f'There is no conversation {arguments.conversation} in this database.')
    conversation = opened_conversation(keyring, row)
    unreadable = conversation['titleStatus'] == 'UNREADABLE'
    print(json.dumps(conversation, ensure_ascii=False) if arguments.json else conversation_line(conversation))
    for row in streamed(connection, MESSAGES, (arguments.conversation,)):
        message = opened_message(keyring, row)
        unreadable |= message['status'] == 'UNREADABLE'
        print(json.dumps(message, ensure_ascii=False) if arguments.json else message_lines(message))
    return unreadable


def parse_arguments():
    parser = argparse.ArgumentParser(description='Prints a conversation of Conclave in clear.')
    parser.add_argument('conversation', nargs='?', help='its id, a UUID')
    parser.add_argument('--list', action='store_true', help='the conversations there are: id, messages, title')
    parser.add_argument('--json', action='store_true', help='JSON Lines, with every field')
    parser.add_argument(
        '--database', default=os.environ.get('DATABASE_URL'), help='postgres://…; DATABASE_URL unless given'
    )
    parser.add_argument('--secrets-file', help='of id=base64 entries; MASTER_SECRETS_FILE or MASTER_SECRETS unless given')
    arguments = parser.parse_args()
    if arguments.list == bool(arguments.conversation):
        parser.error('give the id of a conversation, or --list')
    if not arguments.database:
        parser.error('give the database: --database, or DATABASE_URL')
    try:
        arguments.conversation and fmt.uuid_bytes(arguments.conversation)
    except ValueError:
        parser.error('the id of a conversation is a UUID')
    return arguments


def main():
    sys.stdout.reconfigure(encoding='utf-8')
    arguments = parse_arguments()
    try:
        secrets = secrets_of(arguments)
    except (ValueError, OSError) as error:
        sys.exit(f'The master secrets cannot be read: {error}.')
    try:
        unreadable = read(arguments, secrets)
    except psycopg.Error as error:
        sys.exit(f'The database cannot be read: {str(error).strip()}')
    except BrokenPipeError:
        # Whoever reads the output has seen enough.
        os._exit(1)
    if unreadable:
        print('Something could not be opened: see what is said in its place.', file=sys.stderr)
        sys.exit(3)


if __name__ == '__main__':
    main()
