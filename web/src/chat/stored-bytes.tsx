import { StoredMessageDocument, type StoredMessageQuery } from '../../../documents/generated.js'
import { STATE_WORDS } from '../keys/key-states.js'
import { Problem } from '../parts/problem.js'
import { useConnection, useLoaded } from '../use-connection.js'
import type { Message } from './conversation-log.js'

type Stored = NonNullable<StoredMessageQuery['storedMessage']>
type Envelope = NonNullable<Stored['envelope']>

/** More of a part than this is counted, and not shown. */
const SHOWN_BYTES = 160
const SHOWN_OF_DATA_KEY = 48

/** The bytes of a message as the database holds them, each part marked. */
export function StoredBytes({ message }: { message: Message }) {
  const { id, status, editedAt, keyVersion } = message
  const connection = useConnection()
  const { data, failure } = useLoaded(
    async () => (await connection.query(StoredMessageDocument, { id })).storedMessage ?? null,
    [connection, id, status, editedAt, keyVersion]
  )
  return (
    <section className="stored" aria-label={`What is stored of message ${message.sequence}`}>
      <Problem failure={failure} />
      {data && <Row stored={data} />}
    </section>
  )
}

function Row({ stored: { envelope, revision, dataKeyId, wrappedDataKey, keyVersion, keyState } }: { stored: Stored }) {
  return (
    <>
      <h3>
        What the database holds <code>messages.envelope</code>
      </h3>
      {envelope ? <Marked envelope={envelope} /> : <p>Nothing: the ciphertext went with the message.</p>}
      <dl className="facts">
        <dt>Revision</dt>
        <dd>{revision}</dd>
        <dt>Data key</dt>
        <dd>
          <code>{dataKeyId}</code>
        </dd>
        <dt>… wrapped</dt>
        <dd>
          {wrappedDataKey ? (
            <>
              <code>{bytesOf(wrappedDataKey, SHOWN_OF_DATA_KEY)}</code> {length(wrappedDataKey)} bytes
            </>
          ) : (
            'Overwritten and dropped.'
          )}
        </dd>
        <dt>… by</dt>
        <dd>
          key version {keyVersion},{' '}
          <span className={`state key-${keyState.toLowerCase()}`}>{STATE_WORDS[keyState]}</span>
        </dd>
      </dl>
    </>
  )
}

function Marked({ envelope }: { envelope: Envelope }) {
  const { format, suite, suiteName, nonce, ciphertext, tag } = envelope
  const parts = [
    { name: 'format', bytes: format, what: `format byte ${Number.parseInt(format, 16)}` },
    { name: 'suite', bytes: suite, what: `suite byte: ${suiteName}` },
    { name: 'nonce', bytes: nonce, what: `nonce, ${length(nonce)} bytes` },
    { name: 'ciphertext', bytes: ciphertext, what: `ciphertext, ${length(ciphertext)} bytes` },
    { name: 'tag', bytes: tag, what: `tag, ${length(tag)} bytes` }
  ]
  return (
    <>
      <p className="bytes">
        {parts.map(({ name, bytes, what }) => (
          <code key={name} className={`byte-${name}`} title={what}>
            {bytesOf(bytes, SHOWN_BYTES)}{' '}
          </code>
        ))}
      </p>
      <ul className="legend">
        {parts.map(({ name, what }) => (
          <li key={name} className={`byte-${name}`}>
            {what}
          </li>
        ))}
      </ul>
    </>
  )
}

const length = (hex: string) => hex.length / 2

/** `01 a4 …` */
function bytesOf(hex: string, most: number): string {
  const shown = hex.slice(0, most * 2).match(/../g) ?? []
  return shown.join(' ') + (length(hex) > most ? ' …' : '')
}
