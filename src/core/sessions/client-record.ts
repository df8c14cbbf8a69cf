import type { FastifyRequest } from 'fastify'
import type { Seal } from '../../crypto/seal.js'
import { type ClientInfo, clientOf } from '../../http/client-info.js'
import { type Methods, readMethods } from '../principal/methods.js'

/**
 * What a record says of the client that it was made for. Addresses and devices are personal data, so no store sees them in
 * the clear.
 */
export interface ClientRecords {
  /** @param methods how the user authenticated */
  seal(request: FastifyRequest | undefined, methods: Methods): string
  /** Everything unknown where the text cannot be opened: made with a secret that is no longer configured. */
  open(text: string): ClientInfo
  /** How the user authenticated. None where the text cannot be opened. */
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
