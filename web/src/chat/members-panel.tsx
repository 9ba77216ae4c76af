import type { FormEvent } from 'react'
import { AddMembersDocument, RemoveMemberDocument } from '../../../documents/generated.js'
import { Problem } from '../parts/problem.js'
import { useAction, useConnection } from '../use-connection.js'
import type { ConversationActivity } from './use-activity.js'

interface Props {
  conversationId: string
  activity: ConversationActivity
  role: string | undefined
}

export function MembersPanel({ conversationId, activity: { members, reloadMembers }, role }: Props) {
  const connection = useConnection()
  const [run, failure, isRunning] = useAction()
  const isOwner = role === 'OWNER'
  const mayRemove = (theirs: string) => isOwner || (role === 'MODERATOR' && theirs === 'MEMBER')
  const change = (action: () => Promise<unknown>) =>
    void run(async () => {
      await action()
      await reloadMembers()
    })
  const add = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = event.currentTarget
    const userIds = String(new FormData(form).get('user'))
      .split(/[\s,]+/)
      .filter(Boolean)
    change(async () => {
      await connection.run(AddMembersDocument, { conversationId, userIds })
      form.reset()
    })
  }
  return (
    <section className="members" aria-label="Members">
      <ul>
        {members.map(({ id, name, role: theirs, lastRead }) => (
          <li key={id}>
            <span>
              {name}{' '}
              <span className="hint">
                {theirs.toLowerCase()}, has read up to #{lastRead}
              </span>
            </span>
            {mayRemove(theirs) && id !== connection.session.userId && (
              <button
                type="button"
                className="link"
                disabled={isRunning}
                onClick={() => change(() => connection.run(RemoveMemberDocument, { conversationId, userId: id }))}
              >
                Remove
              </button>
            )}
          </li>
        ))}
      </ul>
      {isOwner && (
        <form onSubmit={add}>
          <input name="user" aria-label="User id to add" placeholder="User id" required autoCapitalize="off" />
          <button type="submit" disabled={isRunning}>
            Add
          </button>
        </form>
      )}
      <Problem failure={failure} />
    </section>
  )
}
