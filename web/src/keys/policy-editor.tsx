import { type FormEvent, useId, useState } from 'react'
import { type KeyPolicyFieldsFragment, SetKeyPolicyDocument } from '../../../documents/generated.js'
import { Problem } from '../parts/problem.js'
import { onDay } from '../parts/time.js'
import { useAction, useConnection } from '../use-connection.js'
import { monthsFrom, previewOf, roughMs, YEAR_MS } from './policy-preview.js'

interface Props {
  conversationId: string
  policy: KeyPolicyFieldsFragment
  activatedAt: string | null
  onChange: () => Promise<void>
}

const DURATION = 'A duration as ISO 8601 has it: P30D, P1Y, PT12H. Empty: never.'

export function PolicyEditor({ conversationId, policy, activatedAt, onChange }: Props) {
  const connection = useConnection()
  const [draft, setDraft] = useState(policy)
  const [run, failure, isRunning] = useAction()
  const id = useId()
  const wrong = [draft.rotateAfter, draft.destroyAfter].some((text) => text !== null && roughMs(text) === null)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    void run(async () => {
      const { rotateAfter, rotateAfterMessages, destroyAfter, rotateOnMemberRemoval } = draft
      const wanted = { rotateAfter, rotateAfterMessages, destroyAfter, rotateOnMemberRemoval }
      await connection.run(SetKeyPolicyDocument, { conversationId, policy: wanted })
      await onChange()
    })
  }
  const duration = (name: 'rotateAfter' | 'destroyAfter', label: string) => (
    <div>
      <label htmlFor={id + name}>{label}</label>
      <input
        id={id + name}
        value={draft[name] ?? ''}
        aria-describedby={`${id}hint`}
        placeholder="never"
        onChange={({ target }) => setDraft({ ...draft, [name]: target.value.trim() || null })}
      />
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
            onChange={({ target }) => setDraft({ ...draft, rotateOnMemberRemoval: target.checked })}
          />
          Rotate when a member is removed
        </label>
        <p className="hint" id={`${id}hint`}>
          {DURATION}
        </p>
        <Year policy={draft} activatedAt={activatedAt} />
        <Problem failure={failure} />
        <button type="submit" disabled={isRunning || wrong}>
          {isRunning ? 'Saving…' : 'Save policy'}
        </button>
      </form>
    </section>
  )
}

const monthName = new Intl.DateTimeFormat(undefined, { month: 'short' })

/** Beyond this they are counted, and drawn without a label of their own. */
const NAMED = 6

function Year({ policy, activatedAt }: { policy: KeyPolicyFieldsFragment; activatedAt: string | null }) {
  const now = Date.now()
  const { rotations, destructions } = previewOf(policy, activatedAt ? new Date(activatedAt).getTime() : now, now)
  const left = (at: number) => `${((at - now) / YEAR_MS) * 100}%`
  return (
    <fieldset className="year">
      <legend>What it does in the next year</legend>
      <div
        className="year-axis"
        role="img"
        aria-label={`${rotations.length} rotations, ${destructions.length} destructions`}
      >
        {monthsFrom(now).map((at) => (
          <span key={at} className="month" style={{ left: left(at) }}>
            {monthName.format(at)}
          </span>
        ))}
        {rotations.map((at) => (
          <span key={at} className="rotation" style={{ left: left(at) }} title={`Rotates ${onDay(at)}`} />
        ))}
        {destructions.map((at) => (
          <span key={at} className="destruction" style={{ left: left(at) }} title={`Is destroyed ${onDay(at)}`} />
        ))}
      </div>
      <p className="legend">
        <span className="mark-rotation">rotation</span>
        <span className="mark-destruction">destruction of a version</span>
      </p>
      <p>
        In the next year, in a conversation that is used all the time:{' '}
        <strong>{rotations.length === 0 ? 'no rotation by time' : `${rotations.length} rotations`}</strong>
        {rotations.length > 0 && rotations.length <= NAMED && ` (${rotations.map(onDay).join(', ')})`}
        {policy.rotateAfterMessages !== null && `, and one after every ${policy.rotateAfterMessages} messages`}
        {'; '}
        <strong>
          {policy.destroyAfter === null ? 'no version is destroyed' : `${destructions.length} versions are destroyed`}
        </strong>
        {policy.destroyAfter !== null && ', and with each of them what was sent under it'}.
      </p>
    </fieldset>
  )
}
