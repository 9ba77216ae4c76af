import { Argument, Command, InvalidArgumentError, Option } from '@commander-js/extra-typings'
import { systemClock } from '../clock.js'
import { type Duration, parseDuration } from '../duration.js'
import { SCOPES, scopeProblem } from '../identity/scopes.js'
import { isUserId } from '../identity/user-id.js'
import { StartError } from '../start-error.js'
import { examples } from './examples.js'
import { jsonOption } from './options.js'
import { Output } from './output.js'

export const token = () =>
  new Command('token')
    .description('Print a bearer token for the development server of this folder.')
    .addArgument(new Argument('<user>', 'id of the user, which need not exist yet').argParser(userIn))
    .option('--name <name>', 'display name of the user')
    .addOption(
      new Option('--scope <scope>', 'what the token allows beside; may be given twice')
        .choices(SCOPES)
        .argParser((scope, before: readonly string[] = []) => withScope(before, scope))
    )
    .addOption(new Option('--expires <duration>', 'how long it is good for (default: PT12H)').argParser(lifetimeIn))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples({
        'conclave token alice --name Alice': 'for a member',
        'conclave token operator --scope keys:admin --scope keys:read': 'for an administrator of keys',
        'conclave token alice --expires PT30S': 'to see what a client does when it ends'
      })
    )
    .action(async (userId, { name, scope = [], expires, ...options }) => {
      const [{ loadConfig }, { existingDevelopmentSecret }, { signToken }] = await Promise.all([
        import('../config.js'),
        import('../development-secrets.js'),
        import('../identity/sign-token.js')
      ])
      const config = loadConfig(process.env)
      if (config.mode === 'production')
        throw new StartError(
          'Tokens are made here in development only; in production your identity provider makes them.'
        )
      if (config.authentication.jwksUrl)
        throw new StartError('AUTH_JWKS_URL is set: the identity provider behind it makes the tokens.')
      const jwtSecret = config.authentication.jwtSecret ?? existingDevelopmentSecret(config.dataDir, 'jwt-secret')
      if (!jwtSecret) throw new StartError(`No server has started on ${config.dataDir} yet. Run npm start first.`)
      const claims = { userId, name, scopes: [...scope] }
      const signed = await signToken({ ...config.authentication, jwtSecret }, systemClock, claims, expires)
      new Output(options).print(signed, signed.token)
    })

function userIn(text: string): string {
  if (!isUserId(text)) throw new InvalidArgumentError('This cannot be the id of a user.')
  return text
}

function withScope(before: readonly string[], scope: string): readonly string[] {
  const problem = scopeProblem([scope])
  if (problem) throw new InvalidArgumentError(problem)
  return [...before, scope]
}

function lifetimeIn(text: string): Duration {
  try {
    return parseDuration(text)
  } catch {
    throw new InvalidArgumentError(`${text} is not a duration of ISO 8601 between a millisecond and ten years.`)
  }
}
