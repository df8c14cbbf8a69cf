import type { FastifyRequest } from 'fastify'
import type { Seal } from '../../crypto/seal.js'
import { type ClientInfo, clientOf } from '../../http/client-info.js'
import { type Methods, readMethods } from '../principal/methods.js'

/**
 * Encrypts the client data of session records and token families. IP addresses and devices are
 * personal data, so no store gets them in plain text.
 */
export interface ClientRecords {
  /** @param methods how the user authenticated */
  seal(request: FastifyRequest | undefined, methods: Methods): string
  /**
   * All fields are unknown if the text can't be decrypted, because its secret is no longer
   * configured.
   */
  open(text: string): ClientInfo
  /** How the user authenticated. Empty if the text can't be decrypted. */
  methodsOf(text: string): Methods
}

type Fields = [
  ip: string,
  browser: string | null,
  version: string | null,
  os: string | null,
  device: string | null,
  kind: ClientInfo['kind'],
  /** Absent in records of earlier versions. */
  methods?: Methods,
]

export const createClientRecords = ({ seal, open }: Seal): ClientRecords => ({
  seal(request, methods) {
    const { ip, browser, browserVersion, os, device, kind } = clientOf(request)
    const fields: Fields = [ip, browser, browserVersion, os, device, kind, methods]
    return seal(JSON.stringify(fields))
  },
  open(text) {
    const opened = open(text)
    const [ip, browser, browserVersion, os, device, kind] =
      opened === null
        ? (['', null, null, null, null, null] as Fields)
        : (JSON.parse(opened) as Fields)
    return { ip, browser, browserVersion, os, device, kind }
  },
  methodsOf(text) {
    const opened = open(text)
    return opened === null ? [] : readMethods((JSON.parse(opened) as Fields)[6])
  },
})
