import { useId, useState } from 'react'
import {
  CancelKeyDestructionDocument,
  type KeyFieldsFragment,
  MarkKeyCompromisedDocument,
  ScheduleKeyDestructionDocument
} from '../../../documents/generated.js'
import { Confirmed } from '../parts/confirmed.js'
import { useConnection } from '../use-connection.js'

interface Props {
  conversationId: string
  version: KeyFieldsFragment
  onChange: () => Promise<void>
}

const GRACES = [
  { after: 'P7D', words: 'seven days' },
  { after: 'P1D', words: 'one day' },
  { after: 'PT1H', words: 'one hour' },
  { after: 'PT1M', words: 'one minute' }
] as const
type Grace = (typeof GRACES)[number]

/** What happens to messages under a compromised version, as it is active or not. */
const REPLACED = 'A new version is made active at once; the messages are encrypted anew under it'
const MOVED = 'They are encrypted anew under the active version'

/** What an administrator of keys may do with one version, each behind a confirmation that says what it costs. */
export function KeyActions({ conversationId, version: { version, state, messageCount }, onChange }: Props) {
  const connection = useConnection()
  const [grace, setGrace] = useState<Grace>(GRACES[0])
  const key = { conversationId, version }
  const lost = messageCount === 1 ? '1 message lies' : `${messageCount} messages lie`
  const canCompromise = state === 'ACTIVE' || state === 'DEACTIVATED'
  return (
    <div className="key-actions">
      {canCompromise && (
        <Confirmed
          label="Mark as compromised"
          question={`Version ${version} was or may be known to somebody else?`}
          consequence={`${lost} under it. ${state === 'ACTIVE' ? REPLACED : MOVED}, and this version is destroyed when all of them have been. Until then they stay readable.`}
          run={() => connection.run(MarkKeyCompromisedDocument, key)}
          onDone={onChange}
        />
      )}
      {(state === 'DEACTIVATED' || state === 'COMPROMISED') && (
        <Confirmed
          label="Schedule its destruction"
          question={`Destroy version ${version}?`}
          consequence={
            messageCount === 0
              ? 'No message lies under it: nothing is lost.'
              : `${lost} under it, and cannot be read from now on. For ${grace.words} this can be cancelled; then nobody can ever read them again, the server included.`
          }
          isLoss={messageCount > 0}
          choice={<GraceChoice grace={grace} onChoose={setGrace} />}
          run={() => connection.run(ScheduleKeyDestructionDocument, { ...key, after: grace.after })}
          onDone={onChange}
        />
      )}
      {state === 'PENDING_DESTRUCTION' && (
        <Confirmed
          label="Cancel its destruction"
          question={`Keep version ${version}?`}
          consequence={`${lost} under it, and can be read again.`}
          run={() => connection.run(CancelKeyDestructionDocument, key)}
          onDone={onChange}
        />
      )}
    </div>
  )
}

function GraceChoice({ grace, onChoose }: { grace: Grace; onChoose: (grace: Grace) => void }) {
  const id = useId()
  return (
    <p>
      <label htmlFor={id}>After</label>
      <select
        id={id}
        value={grace.after}
        onChange={({ target }) => onChoose(GRACES.find(({ after }) => after === target.value) ?? GRACES[0])}
      >
        {GRACES.map(({ after, words }) => (
          <option key={after} value={after}>
            {words}
          </option>
        ))}
      </select>
    </p>
  )
}
