import type { FastifyRequest } from 'fastify'
import type { Seal } from '../../crypto/seal.js'
import { type ClientInfo, clientOf } from '../../http/client-info.js'

/**
 * Encrypts the client data of session records and token families. IP addresses and devices are
 * personal data, so no store gets them in plain text.
 */
export interface ClientRecords {
  seal(request: FastifyRequest | undefined): string
  /**
   * All fields are unknown if the text can't be decrypted, because its secret is no longer
   * configured.
   */
  open(text: string): ClientInfo
}

type Fields = [
  ip: string,
  browser: string | null,
  version: string | null,
  os: string | null,
  device: string | null,
  kind: ClientInfo['kind'],
]

export const createClientRecords = ({ seal, open }: Seal): ClientRecords => ({
  seal(request) {
    const { ip, browser, browserVersion, os, device, kind } = clientOf(request)
    return seal(JSON.stringify([ip, browser, browserVersion, os, device, kind] satisfies Fields))
  },
  open(text) {
    const opened = open(text)
    const [ip, browser, browserVersion, os, device, kind] =
      opened === null
        ? (['', null, null, null, null, null] as Fields)
        : (JSON.parse(opened) as Fields)
    return { ip, browser, browserVersion, os, device, kind }
  },
})
