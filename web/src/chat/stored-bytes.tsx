import { useState } from 'react'
import { StoredMessageDocument, type StoredMessageQuery } from '../../../documents/generated.js'
import { STATE_WORDS } from '../keys/key-states.js'
import { Problem } from '../parts/problem.js'
import { useConnection, useLoaded } from '../use-connection.js'
import type { Message } from './conversation-log.js'
import { bytesIn, partsOf, spacedHex } from './shown-bytes.js'

type Stored = NonNullable<StoredMessageQuery['storedMessage']>
type Envelope = NonNullable<Stored['envelope']>

/** More of a part than this is shown when somebody asks for it. */
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
        <dd>{wrappedDataKey ? <Wrapped dataKey={wrappedDataKey} /> : 'Overwritten and dropped.'}</dd>
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
  const parts = partsOf(envelope)
  const [showsAll, setShowsAll] = useState(false)
  const isCut = parts.some(({ bytes }) => bytesIn(bytes) > SHOWN_BYTES)
  return (
    <>
      <p className="bytes">
        {parts.map(({ name, bytes, what }) => (
          <code key={name} className={`byte-${name}`} title={what}>
            {showsAll ? spacedHex(bytes) : spacedHex(bytes, SHOWN_BYTES)}{' '}
          </code>
        ))}
      </p>
      {isCut && <All of={parts.map(({ bytes }) => bytes).join('')} isShown={showsAll} onToggle={setShowsAll} />}
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

function Wrapped({ dataKey }: { dataKey: string }) {
  const [showsAll, setShowsAll] = useState(false)
  return (
    <>
      <code>{showsAll ? spacedHex(dataKey) : spacedHex(dataKey, SHOWN_OF_DATA_KEY)}</code>{' '}
      <All of={dataKey} isShown={showsAll} onToggle={setShowsAll} />
    </>
  )
}

/** Opens and closes the rest of what is cut. @param of in hex */
function All({ of, isShown, onToggle }: { of: string; isShown: boolean; onToggle: (isShown: boolean) => void }) {
  return (
    <button type="button" className="link" aria-expanded={isShown} onClick={() => onToggle(!isShown)}>
      All {bytesIn(of)} bytes
    </button>
  )
}
