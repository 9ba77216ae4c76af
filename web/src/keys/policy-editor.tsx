import { type FormEvent, useId, useState } from 'react'
import {
  type KeyFieldsFragment,
  type KeyPolicyFieldsFragment,
  SetKeyPolicyDocument
} from '../../../documents/generated.js'
import { Problem } from '../parts/problem.js'
import { onDay } from '../parts/time.js'
import { useAction, useConnection } from '../use-connection.js'
import { policyChanges } from './policy-changes.js'
import { type Deactivated, expiring, monthsFrom, previewOf, roughMs, YEAR_MS } from './policy-preview.js'

interface Props {
  conversationId: string
  policy: KeyPolicyFieldsFragment
  keys: readonly KeyFieldsFragment[]
  /** Otherwise it is shown only. */
  mayChange: boolean
  onChange: () => Promise<void>
}

const DURATIONS = ['rotateAfter', 'destroyAfter'] as const
const DURATION = 'A duration as ISO 8601 has it: P30D, P1Y, PT12H. Empty: never.'

export function PolicyEditor({ conversationId, policy, keys, mayChange, onChange }: Props) {
  const connection = useConnection()
  const [draft, setDraft] = useState(policy)
  const [run, failure, isRunning] = useAction()
  const id = useId()
  const wrong = DURATIONS.filter((name) => isWrong(draft[name]))
  const now = Date.now()
  const changes = policyChanges(policy, draft)
  const expiries = expiring(deactivated(keys), changes.destroyAfter, now)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    void run(async () => {
      const { setKeyPolicy } = await connection.run(SetKeyPolicyDocument, { conversationId, policy: changes })
      setDraft(setKeyPolicy.keyPolicy)
      await onChange()
    })
  }
  const duration = (name: (typeof DURATIONS)[number], label: string) => (
    <div>
      <label htmlFor={id + name}>{label}</label>
      <input
        id={id + name}
        value={draft[name] ?? ''}
        aria-invalid={wrong.includes(name)}
        aria-describedby={wrong.includes(name) ? `${id}${name}-wrong ${id}hint` : `${id}hint`}
        placeholder="never"
        readOnly={!mayChange}
        onChange={({ target }) => setDraft({ ...draft, [name]: target.value.trim() || null })}
      />
      {wrong.includes(name) && (
        <p className="problem" id={`${id}${name}-wrong`}>
          “{draft[name]}” is not a duration.
        </p>
      )}
    </div>
  )
  return (
    <section className="card" aria-labelledby={`${id}head`}>
      <h2 id={`${id}head`}>Policy</h2>
      <form className="policy" onSubmit={submit}>
        {duration('rotateAfter', 'Rotate after')}
        <div>
          <label htmlFor={`${id}count`}>Rotate after messages</label>
          <input
            id={`${id}count`}
            type="number"
            min={1}
            value={draft.rotateAfterMessages ?? ''}
            placeholder="never"
            readOnly={!mayChange}
            onChange={({ target }) =>
              setDraft({ ...draft, rotateAfterMessages: target.value ? Number(target.value) : null })
            }
          />
        </div>
        {duration('destroyAfter', 'Destroy a version after')}
        <label className="check">
          <input
            type="checkbox"
            checked={draft.rotateOnMemberRemoval}
            disabled={!mayChange}
            onChange={({ target }) => setDraft({ ...draft, rotateOnMemberRemoval: target.checked })}
          />
          Rotate when a member is removed
        </label>
        <p className="hint" id={`${id}hint`}>
          {mayChange ? DURATION : 'The owner of the conversation sets it, or an administrator of keys.'}
        </p>
        {wrong.length === 0 ? (
          <Year policy={draft} keys={keys} expiries={expiries.map(({ at }) => at)} now={now} />
        ) : (
          <p className="hint">What it does in the next year is shown once every duration can be read.</p>
        )}
        {changes.destroyAfter && expiries.length > 0 && (
          <label className="check lost" key={changes.destroyAfter}>
            <input type="checkbox" required />
            {lossText(expiries)}
          </label>
        )}
        <Problem failure={failure} />
        {mayChange && (
          <button type="submit" disabled={isRunning || wrong.length > 0 || Object.keys(changes).length === 0}>
            {isRunning ? 'Saving…' : 'Save policy'}
          </button>
        )}
      </form>
    </section>
  )
}

function isWrong(duration: string | null): boolean {
  return duration !== null && roughMs(duration) === null
}

function deactivated(keys: readonly KeyFieldsFragment[]): Deactivated[] {
  return keys.flatMap(({ state, deactivatedAt, destroysAt, messageCount }) => {
    if (state !== 'DEACTIVATED' || !deactivatedAt) return []
    const end = destroysAt ? Date.parse(destroysAt) : null
    return [{ deactivatedAt: Date.parse(deactivatedAt), destroysAt: end, messageCount }]
  })
}

function lossText(expiries: readonly { at: number; messageCount: number }[]): string {
  const messages = expiries.reduce((sum, { messageCount }) => sum + messageCount, 0)
  const versions = expiries.length === 1 ? '1 version expires' : `${expiries.length} versions expire`
  const lost = messages === 1 ? 'the 1 message' : `the ${messages} messages`
  return `${versions}, the first on ${onDay(expiries[0]?.at ?? 0)}. With them ${lost} under them cannot be read any more.`
}

const monthName = new Intl.DateTimeFormat(undefined, { month: 'short' })

/** Beyond this they are counted, and drawn without a label of their own. */
const NAMED = 6

interface YearProps {
  policy: KeyPolicyFieldsFragment
  keys: readonly KeyFieldsFragment[]
  /** Of versions that there are. */
  expiries: readonly number[]
  now: number
}

function Year({ policy, keys, expiries, now }: YearProps) {
  const activatedAt = keys.find(({ state }) => state === 'ACTIVE')?.activatedAt
  const { rotations, destructions } = previewOf(policy, activatedAt ? Date.parse(activatedAt) : now, expiries, now)
  const left = (at: number) => `${((at - now) / YEAR_MS) * 100}%`
  return (
    <fieldset className="year">
      <legend>What it does in the next year</legend>
      <div
        className="year-axis"
        role="img"
        aria-label={`${rotations.count} rotations, ${destructions.count} destructions`}
      >
        {monthsFrom(now).map((at) => (
          <span key={at} className="month" style={{ left: left(at) }}>
            {monthName.format(at)}
          </span>
        ))}
        {rotations.drawn.map((at) => (
          <span key={at} className="rotation" style={{ left: left(at) }} title={`Rotates ${onDay(at)}`} />
        ))}
        {destructions.drawn.map((at) => (
          <span
            key={at}
            className="destruction"
            style={{ left: left(at) }}
            title={`Cannot be read from ${onDay(at)} on`}
          />
        ))}
      </div>
      <p className="legend">
        <span className="mark-rotation">rotation</span>
        <span className="mark-destruction">destruction of a version</span>
      </p>
      <p>
        In the next year, in a conversation that is used all the time:{' '}
        <strong>{rotations.count === 0 ? 'no rotation by time' : `${rotations.count} rotations`}</strong>
        {rotations.count > 0 && rotations.count <= NAMED && ` (${rotations.drawn.map(onDay).join(', ')})`}
        {policy.rotateAfterMessages !== null && `, and one after every ${policy.rotateAfterMessages} messages`}
        {'; '}
        <strong>
          {destructions.count === 0 ? 'no version is destroyed' : `${destructions.count} versions are destroyed`}
        </strong>
        {destructions.count > 0 &&
          ', and with each of them what was sent under it: it cannot be read from the day that is shown, and the key is deleted when the time of grace after that is over'}
        .
      </p>
    </fieldset>
  )
}
