import proxyAddr from '@fastify/proxy-addr'
import { z } from 'zod'
import { milliseconds } from './duration-variable.js'
import type { RateLimitConfig } from './rate-limits/rate-limits.js'
import type { Allowance } from './rate-limits/token-bucket.js'
import { wholeNumber } from './whole-number.js'

/** Who may talk to a server, how often, and for how long. */
export interface TrafficLimits {
  /** Null: as often as anybody likes. */
  rateLimits: RateLimitConfig
  socketsPerUser: number
  operationsPerSocket: number
  /** Addresses and networks of proxies that are believed what they say of a client's address. */
  trustedProxies: string[]
  /** Origins of pages, beside the server's own, that may use it. */
  allowedOrigins: string[]
  /** For a request to come in completely. */
  requestTimeoutMs: number
  /** For a client to take some more of the answer to its request. */
  responseTimeoutMs: number
  /** Of all clients together, over any transport. */
  maxConnections: number
}

/** Where Apollo's Sandbox runs: its pages may talk to a development server. */
const SANDBOX = [
  'https://studio.apollographql.com',
  'https://sandbox.embed.apollographql.com',
  'https://explorer.embed.apollographql.com'
]

/** `60/PT1M`: sixty at once, and sixty again in every minute. */
const allowance = z.string().transform((text, context): Allowance => {
  const [, tokens, period = ''] = /^([1-9]\d{0,6})\/(.+)$/.exec(text) ?? []
  const parsed = milliseconds.safeParse(period)
  if (tokens && parsed.success) return { tokens: Number(tokens), periodMs: parsed.data }
  context.addIssue('must be a number and the duration in which there may be so many, such as 60/PT1M')
  return z.NEVER
})

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean)
)

function isProxy(text: string): boolean {
  try {
    proxyAddr.compile([text])
    return true
  } catch {
    return false
  }
}

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text
}

/** The variables of the environment that set them. */
export const trafficVariables = {
  RATE_LIMITS: z.enum(['on', 'off'], 'must be on or off').default('on'),
  RATE_LIMIT_SENDS: allowance.default({ tokens: 600, periodMs: 60_000 }),
  RATE_LIMIT_CREATES: allowance.default({ tokens: 120, periodMs: 60_000 }),
  RATE_LIMIT_KEY_OPERATIONS: allowance.default({ tokens: 60, periodMs: 60_000 }),
  RATE_LIMIT_CONNECTIONS: allowance.default({ tokens: 120, periodMs: 60_000 }),
  RATE_LIMIT_REFUSALS: allowance.default({ tokens: 300, periodMs: 60_000 }),
  SOCKETS_PER_USER: wholeNumber(1, 1_000_000).default(50),
  OPERATIONS_PER_SOCKET: wholeNumber(1, 1_000_000).default(100),
  TRUSTED_PROXIES: list
    .pipe(z.array(z.string().refine(isProxy, 'must list addresses, networks or loopback')))
    .default([]),
  ALLOWED_ORIGINS: list
    .pipe(z.array(z.string().refine(isOrigin, 'must list origins such as https://chat.example')))
    .default([]),
  REQUEST_TIMEOUT: milliseconds.default(30_000),
  RESPONSE_TIMEOUT: milliseconds.default(30_000),
  MAX_CONNECTIONS: wholeNumber(1, 10_000_000).default(20_000)
}

type Variables = z.infer<z.ZodObject<typeof trafficVariables>>

/** @param production no page of anybody else may use it that is not named */
export function trafficLimitsOf(env: Variables, production: boolean): TrafficLimits {
  return {
    rateLimits: env.RATE_LIMITS === 'on' ? rateLimitsOf(env) : null,
    socketsPerUser: env.SOCKETS_PER_USER,
    operationsPerSocket: env.OPERATIONS_PER_SOCKET,
    trustedProxies: env.TRUSTED_PROXIES,
    allowedOrigins: [...env.ALLOWED_ORIGINS, ...(production ? [] : SANDBOX)],
    requestTimeoutMs: env.REQUEST_TIMEOUT,
    responseTimeoutMs: env.RESPONSE_TIMEOUT,
    maxConnections: env.MAX_CONNECTIONS
  }
}

function rateLimitsOf(env: Variables): RateLimitConfig {
  return {
    SENDS: env.RATE_LIMIT_SENDS,
    MARKS: env.RATE_LIMIT_SENDS,
    CREATES: env.RATE_LIMIT_CREATES,
    KEY_OPERATIONS: env.RATE_LIMIT_KEY_OPERATIONS,
    CONNECTIONS: env.RATE_LIMIT_CONNECTIONS,
    REFUSALS: env.RATE_LIMIT_REFUSALS
  }
}
