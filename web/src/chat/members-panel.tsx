import { type FormEvent, type RefObject, useCallback, useEffect, useRef } from 'react'
import { AddMembersDocument, type MemberRole, RemoveMemberDocument } from '../../../documents/generated.js'
import { mayRole, type Right } from '../../../src/membership/rights.js'
import { Problem } from '../parts/problem.js'
import { useAction, useConnection } from '../use-connection.js'
import type { ConversationActivity, Member } from './use-activity.js'

interface Props {
  conversationId: string
  activity: ConversationActivity
  role: MemberRole | null
}

export function MembersPanel({ conversationId, activity: { members, reloadMembers }, role }: Props) {
  const connection = useConnection()
  const [run, failure, isRunning] = useAction()
  const [panel, goOn] = useFocusAfterRemoval(isRunning)
  const may = (right: Right) => role !== null && mayRole(role, right)
  const mayRemove = (theirs: string) => may('remove members') && (role === 'OWNER' || theirs === 'MEMBER')
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
  const remove = (userId: string) => {
    goOn(nearest(members, userId))
    change(() => connection.run(RemoveMemberDocument, { conversationId, userId }))
  }
  return (
    <section ref={panel} className="members" aria-label="Members" tabIndex={-1}>
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
              <button type="button" className="link" data-user={id} disabled={isRunning} onClick={() => remove(id)}>
                Remove
              </button>
            )}
          </li>
        ))}
      </ul>
      {may('add members') && (
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

/** The button goes with the member: whoever pressed it is at that of the next one, or at the list (WCAG 2.4.3). */
function useFocusAfterRemoval(isRunning: boolean): [RefObject<HTMLElement | null>, (userIds: string[]) => void] {
  const panel = useRef<HTMLElement>(null)
  /** At whose button one may go on, the nearest first; null when nobody is being removed. */
  const candidates = useRef<string[] | null>(null)
  useEffect(() => {
    if (isRunning || !candidates.current) return
    const buttons = [...(panel.current?.querySelectorAll<HTMLElement>('button[data-user]') ?? [])]
    const [next] = candidates.current.flatMap((userId) => buttons.filter(({ dataset }) => dataset.user === userId))
    candidates.current = null
    // Who has gone elsewhere meanwhile stays there.
    if (document.activeElement === document.body) (next ?? panel.current)?.focus()
  }, [isRunning])
  const goOn = useCallback((userIds: string[]) => {
    candidates.current = userIds
  }, [])
  return [panel, goOn]
}

/** Who was not removed after all, then those below, then those above. */
function nearest(members: readonly Member[], userId: string): string[] {
  const ids = members.map(({ id }) => id)
  const at = ids.indexOf(userId)
  return [...ids.slice(at), ...ids.slice(0, at).reverse()]
}
