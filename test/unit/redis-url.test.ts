import { describe, expect, it } from 'vitest'
import { parseRedisCluster } from '../../src/redis-url.js'

describe('the URL of a Redis cluster', () => {
  it.each([
    'redis-cluster://',
    'redis-cluster://a:7000?node=',
    'redis-cluster://a?node=b/c',
    'redis-cluster://a?node=b@c'
  ])('is refused as %s', (url) => {
    expect(() => parseRedisCluster(url)).toThrow()
  })

  it('is none where it names one Redis', () => {
    expect(parseRedisCluster('redis://localhost:6379')).toBeNull()
    expect(parseRedisCluster('rediss://localhost:6379/1')).toBeNull()
  })

  it('names nodes, with a port or without, and who logs in', () => {
    expect(parseRedisCluster('redis-cluster://us%40er:p%3Ass@a.example:7000?node=b&node=[::1]:7002')).toEqual({
      nodes: [
        { host: 'a.example', port: 7000 },
        { host: 'b', port: 6379 },
        { host: '::1', port: 7002 }
      ],
      username: 'us@er',
      password: 'p:ss',
      tls: false
    })
  })

  it('asks for TLS', () => {
    expect(parseRedisCluster('rediss-cluster://a')).toEqual({ nodes: [{ host: 'a', port: 6379 }], tls: true })
  })
})
