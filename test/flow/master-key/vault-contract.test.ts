import { describe } from 'vitest'
import { CALL_TIMEOUT_MS, itKeepsTheContract, type ProviderUnderTest } from '../../support/providers/contract.js'
import { hasOpenBao, OpenBao } from '../../support/providers/openbao.js'
import { byToken, openVaultKey } from '../../support/providers/vault-key.js'
import { TcpProxy } from '../../support/tcp-proxy.js'

describe.skipIf(!hasOpenBao)('a Transit key of OpenBao', () => {
  itKeepsTheContract({ remote: true }, () => start({}))
})

describe.skipIf(!hasOpenBao)('a derived Transit key of OpenBao', () => {
  itKeepsTheContract({ remote: true }, () => start({ derived: true }))
})

async function start(options: object): Promise<ProviderUnderTest> {
  const bao = await OpenBao.start()
  const proxy = await TcpProxy.start(bao.port)
  await bao.makeTransitKey('teams/transit', 'conclave', options)
  await bao.makeTransitKey('teams/transit', 'other', options)
  for (const name of ['conclave', 'other']) await bao.makePolicy(name, 'teams/transit', name)
  const open = (token: string, key = 'conclave') =>
    openVaultKey({
      url: `http://127.0.0.1:${proxy.port}`,
      mount: 'teams/transit',
      key,
      authentication: byToken(token),
      timeoutMs: CALL_TIMEOUT_MS
    })
  const ending = await bao.makeToken(['conclave'])
  const keys = {
    key: open(await bao.makeToken(['conclave'])),
    other: open(await bao.makeToken(['other']), 'other'),
    refused: open('s.a-token-that-nobody-has-made'),
    expiring: open(ending)
  }
  return {
    ...keys,
    service: {
      proxy,
      refused: keys.refused,
      expiring: {
        key: keys.expiring,
        expire: async () => void (await bao.api('POST', 'auth/token/revoke', { token: ending }))
      }
    },
    async stop() {
      for (const key of Object.values(keys)) await key.close()
      await proxy.stop()
      await bao.stop()
    }
  }
}
