import type { CookieSerializeOptions } from '@fastify/cookie'
import type { FastifyRequest } from 'fastify'
import { BadUserInput, Forbidden, Unauthenticated } from '../../errors.js'
import type { Viewer } from '../../identity/viewer.js'
import type { Services } from '../../services.js'

export const BOARD = '/jobs'
const COOKIE = 'conclave-jobs'
/** Browsers keep no longer ones (RFC 6265, section 6.1, with room for the attributes). */
const MAX_TOKEN_BYTES = 3_800

/** A browser's cookie, which scripts cannot read and pages of other sites cannot make it send. */
export interface BoardCookie {
  name: string
  value: string
  options: CookieSerializeOptions
}

type Access = Pick<Services, 'authenticate' | 'config'>

/**
 * Who asks, by the header that programs send or the cookie that a browser has. Nothing is remembered of an earlier
 * request: an expired token is refused with the next one.
 *
 * @throws Unauthenticated, Forbidden
 */
export async function requireKeyAdmin(services: Access, request: FastifyRequest): Promise<Viewer> {
  const token = request.cookies[COOKIE]
  const authorization = request.headers.authorization ?? (token ? `Bearer ${token}` : null)
  if (!authorization) throw new Unauthenticated('The jobs are for those who administrate keys.')
  return await keyAdminOf(services, authorization)
}

/**
 * Takes a token from the sign-in form.
 *
 * @throws Unauthenticated, Forbidden, BadUserInput for a token that no browser would keep
 */
export async function signIn(services: Access, request: FastifyRequest, token: string): Promise<BoardCookie> {
  const { expiresAt } = await keyAdminOf(services, `Bearer ${token}`)
  if (Buffer.byteLength(token) > MAX_TOKEN_BYTES) throw new BadUserInput('token', 'The token is too long for a cookie.')
  return {
    name: COOKIE,
    value: token,
    options: { ...optionsOf(services, request), ...(expiresAt && { expires: expiresAt }) }
  }
}

/** What has the browser forget the token. */
export function signedOut(services: Access, request: FastifyRequest): BoardCookie {
  return { name: COOKIE, value: '', options: { ...optionsOf(services, request), expires: new Date(0) } }
}

/**
 * Whether a request that changes something comes from a page of this server, or from a program that sends its token
 * by itself. Beside the cookie's SameSite, for which another port of the same host is the same site.
 */
export function isOwnRequest(request: FastifyRequest): boolean {
  const { headers } = request
  if (!changesSomething(request) || headers.authorization !== undefined) return true
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin'
  return headers.origin !== undefined && URL.canParse(headers.origin) && new URL(headers.origin).host === headers.host
}

export function changesSomething({ method }: FastifyRequest): boolean {
  return method !== 'GET' && method !== 'HEAD'
}

async function keyAdminOf({ authenticate }: Access, authorization: string): Promise<Viewer> {
  const viewer = await authenticate(authorization)
  if (!viewer.scopes.has('keys:admin')) throw new Forbidden('This token has no scope keys:admin.')
  return viewer
}

function optionsOf({ config }: Access, { protocol }: FastifyRequest): CookieSerializeOptions {
  // In production TLS may end at a proxy that this server has not been told of.
  const secure = config.mode === 'production' || protocol === 'https'
  return { path: BOARD, httpOnly: true, sameSite: 'strict', secure }
}
