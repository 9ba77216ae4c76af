import { type FormEvent, useState } from 'react'
import { READY_OPERATIONS } from './documents.js'
import { fetcher } from './fetcher.js'
import { ownerOf, storedToken, storeToken } from './token.js'

/** Those whom the console lets in with one click as well. */
const PEOPLE = [
  { userId: 'alice', name: 'Alice', scopes: [] },
  { userId: 'bob', name: 'Bob', scopes: [] },
  { userId: 'carol', name: 'Carol', scopes: ['keys:read', 'keys:admin'] }
]
const DEV_TOKEN = READY_OPERATIONS.find(({ name }) => name === 'DevToken')

/** Whose token goes with every operation. @param canSignIn whether the server makes tokens itself */
export function TokenBar({ canSignIn }: { canSignIn: boolean }) {
  const [token, setToken] = useState(storedToken)
  const [problem, setProblem] = useState<string | null>(null)
  const use = (next: string) => {
    storeToken(next)
    setToken(next)
    setProblem(next && !ownerOf(next) ? 'That is no token.' : null)
  }
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    use(String(new FormData(event.currentTarget).get('token')).trim())
    event.currentTarget.reset()
  }
  const signIn = async (person: (typeof PEOPLE)[number]) => {
    try {
      use(await developmentToken(person))
    } catch (error) {
      setProblem((error as Error).message)
    }
  }
  return (
    <header className="token-bar">
      <strong>Conclave</strong>
      <output>{problem ?? describe(token)}</output>
      {canSignIn && (
        <span>
          Sign in as{' '}
          {PEOPLE.map((person) => (
            <button type="button" key={person.userId} onClick={() => void signIn(person)}>
              {person.name}
            </button>
          ))}
        </span>
      )}
      <form onSubmit={submit}>
        <label>
          Token <input type="password" name="token" autoComplete="off" required />
        </label>
        <button type="submit">Use</button>
      </form>
      {token && (
        <button type="button" onClick={() => use('')}>
          Sign out
        </button>
      )}
    </header>
  )
}

function describe(token: string): string {
  const owner = ownerOf(token)
  if (!owner) return 'Signed in as nobody'
  return `Signed in as ${owner.name}${owner.expiresAt ? `, until ${owner.expiresAt.toLocaleString()}` : ''}`
}

/** @throws Error with what the server says */
async function developmentToken(person: (typeof PEOPLE)[number]): Promise<string> {
  if (!DEV_TOKEN) throw new Error('There is no ready operation DevToken.')
  const { data, errors } = (await fetcher({ query: DEV_TOKEN.text, variables: person })) as {
    data?: { devToken: { token: string } } | null
    errors?: { message: string }[]
  }
  if (!data) throw new Error(errors?.[0]?.message ?? 'The server makes no tokens.')
  return data.devToken.token
}
