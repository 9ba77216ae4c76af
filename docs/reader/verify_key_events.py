#!/usr/bin/env python3
"""Verifies the audit trail of Conclave from its PostgreSQL database: every hash, every head, every anchor.

    DATABASE_URL=postgres://… python3 verify_key_events.py

Needs no master secret. Ends with 0 for a trail that is whole, with 3 for one that is not, with 1 when it cannot be read.
"""

import os
import sys

import conclave_format as fmt

try:
    import psycopg
    from psycopg.rows import dict_row
except ImportError:
    sys.exit('psycopg is missing: install python3-psycopg, or pip install "psycopg[binary]".')

EVENTS = """
    select sequence, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at, actor, action,
           conversation_id, key_version, detail, hash
      from key_events where shard = %s order by sequence"""


def first_invalid(connection):
    heads = {row['shard']: (row['count'], row['hash']) for row in connection.execute('select * from key_event_heads')}

    def chain_of(chain):
        with connection.cursor(name='events') as cursor:
            cursor.execute(EVENTS, (chain,))
            yield from cursor

    return fmt.first_invalid_sequence(chain_of, heads)


def main():
    try:
        with psycopg.connect(os.environ.get('DATABASE_URL', ''), row_factory=dict_row) as connection:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            sequence = first_invalid(connection)
    except psycopg.Error as error:
        sys.exit(f'The database cannot be read: {str(error).strip()}')
    if sequence is not None:
        print(f'The audit trail is not whole from event {sequence} on.')
        sys.exit(3)
    print('The audit trail is whole.')


if __name__ == '__main__':
    main()
