import { print } from 'graphql'
import { type FormEvent, useState } from 'react'
import { DevTokenDocument } from '../../documents/generated.js'
import { Avatar } from './parts/avatar.js'
import { PEOPLE } from './people.js'
import { type Session, sessionOf } from './session.js'
import { useSettings } from './settings.js'

export function SignIn({ notice, onSignedIn }: { notice: string | null; onSignedIn: (session: Session) => void }) {
  const settings = useSettings()
  const [refusal, setRefusal] = useState<string | null>(null)
  const problem = refusal ?? notice
  const enter = async (token: () => Promise<string>) => {
    try {
      onSignedIn(sessionOf(await token()))
    } catch (error) {
      setRefusal((error as Error).message)
    }
  }
  return (
    <main className="sign-in">
      <img src="/icon.svg" alt="" width="56" height="56" />
      <h1>Conclave</h1>
      <p>Every conversation has keys of its own. What is written in it is stored encrypted.</p>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {settings?.development && (
        <section aria-labelledby="people">
          <h2 id="people">Sign in as</h2>
          <ul className="people">
            {PEOPLE.map(({ what, ...person }) => (
              <li key={person.userId}>
                <button type="button" onClick={() => void enter(() => developmentToken(person))}>
                  <Avatar name={person.name} id={person.userId} />
                  <strong>{person.name}</strong>
                  <span>{what}</span>
                </button>
              </li>
            ))}
          </ul>
          <p className="hint">For development only. A second window can be somebody else at the same time.</p>
        </section>
      )}
      {settings && <TokenForm onToken={(token) => void enter(async () => token)} isOpen={!settings.development} />}
    </main>
  )
}

function TokenForm({ onToken, isOpen }: { onToken: (token: string) => void; isOpen: boolean }) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    onToken(String(new FormData(event.currentTarget).get('token')))
  }
  return (
    <details open={isOpen}>
      <summary>Sign in with a bearer token</summary>
      <form onSubmit={submit}>
        <label htmlFor="token">Bearer token</label>
        <textarea id="token" name="token" rows={4} required autoComplete="off" spellCheck={false} />
        <button type="submit">Sign in</button>
      </form>
    </details>
  )
}

async function developmentToken(person: { userId: string; name: string; scopes: string[] }): Promise<string> {
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: print(DevTokenDocument), variables: person })
  })
  const { data, errors } = (await response.json()) as {
    data?: { devToken: { token: string } }
    errors?: { message: string }[]
  }
  if (!data) throw new Error(errors?.[0]?.message ?? 'The server did not answer.')
  return data.devToken.token
}
