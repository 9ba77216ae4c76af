import { describe } from 'vitest'
import { CALL_TIMEOUT_MS, itKeepsTheContract, type ProviderUnderTest } from '../../support/providers/contract.js'
import { openKmsKey } from '../../support/providers/kms-key.js'
import { type AccessKey, hasMoto, Moto } from '../../support/providers/moto.js'
import { TcpProxy } from '../../support/tcp-proxy.js'

describe.skipIf(!hasMoto)('an AWS KMS key, of moto', () => {
  itKeepsTheContract({ remote: true }, start)
})

async function start(): Promise<ProviderUnderTest> {
  const moto = await Moto.start()
  const proxy = await TcpProxy.start(moto.port)
  const arn = await moto.makeKey()
  const otherArn = await moto.makeKey()
  const server = await moto.makeUser('server')
  const leaver = await moto.makeUser('leaver')
  await moto.checkSignatures(true)
  const open = (credentials: AccessKey, keyId = arn) =>
    openKmsKey({ keyId, endpoint: `http://127.0.0.1:${proxy.port}`, credentials, timeoutMs: CALL_TIMEOUT_MS })
  const keys = {
    key: open(server),
    other: open(server, otherArn),
    refused: open({ ...server, secretAccessKey: 'guessed' }),
    expiring: open(leaver)
  }
  return {
    ...keys,
    service: {
      proxy,
      refused: keys.refused,
      expiring: { key: keys.expiring, expire: async () => await moto.removeUsersKey('leaver', leaver) }
    },
    async stop() {
      for (const key of Object.values(keys)) await key.close()
      await proxy.stop()
      await moto.stop()
    }
  }
}
