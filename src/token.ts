import './require-node.js'

import { parseArgs } from 'node:util'
import { systemClock } from './clock.js'
import { ConfigError, loadConfig } from './config.js'
import { existingDevelopmentSecret } from './development-secrets.js'
import { type Duration, parseDuration } from './duration.js'
import { SCOPES, scopeProblem } from './identity/scopes.js'
import { signToken } from './identity/sign-token.js'
import { isUserId } from './identity/user-id.js'
import { faultText } from './reason-of.js'
import { StartError } from './start-error.js'

/** Prints a bearer token for the development server of this folder. */

const USAGE = `usage: npm run -s token -- <user id> [--name <display name>] [--scope <scope>]... [--expires <duration>]
       scopes: ${SCOPES.join(', ')}; a duration as in PT30S, P7D: PT12H without`

async function main(args: string[]): Promise<void> {
  const { positionals, values } = parse(args)
  if (values.help) return console.log(USAGE)
  const [userId, ...rest] = positionals
  if (userId === undefined || rest.length > 0 || !isUserId(userId)) throw new StartError(USAGE)
  const problem = scopeProblem(values.scope ?? [])
  if (problem) throw new StartError(`${problem}\n${USAGE}`)
  const lifetime = values.expires === undefined ? undefined : lifetimeOf(values.expires)
  const config = loadConfig(process.env)
  if (config.mode === 'production')
    throw new StartError('Tokens are made here in development only; in production your identity provider makes them.')
  if (config.authentication.jwksUrl)
    throw new StartError('AUTH_JWKS_URL is set: the identity provider behind it makes the tokens.')
  const jwtSecret = config.authentication.jwtSecret ?? existingDevelopmentSecret(config.dataDir, 'jwt-secret')
  if (!jwtSecret) throw new StartError(`No server has started on ${config.dataDir} yet. Run npm start first.`)
  const claims = { userId, name: values.name, scopes: values.scope ?? [] }
  const { token } = await signToken({ ...config.authentication, jwtSecret }, systemClock, claims, lifetime)
  console.log(token)
}

function parse(args: string[]) {
  try {
    const options = {
      help: { type: 'boolean', short: 'h' },
      name: { type: 'string' },
      scope: { type: 'string', multiple: true },
      expires: { type: 'string' }
    } as const
    return parseArgs({ args, options, allowPositionals: true })
  } catch (error) {
    throw new StartError(`${(error as Error).message}\n${USAGE}`)
  }
}

function lifetimeOf(text: string): Duration {
  try {
    return parseDuration(text)
  } catch {
    throw new StartError(`${text} is not a duration of ISO 8601 between a millisecond and ten years.\n${USAGE}`)
  }
}

main(process.argv.slice(2)).catch((error: unknown) => {
  const known =
    error instanceof StartError || error instanceof ConfigError || (error as NodeJS.ErrnoException).code === 'EACCES'
  console.error(known ? (error as Error).message : faultText(error))
  process.exitCode = 1
})
