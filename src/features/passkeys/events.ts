import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import type { Credentials } from '../../core/credentials/credentials.js'
import type { Row } from '../../core/users/users.js'
import type { Emit } from '../../events.js'
import type { Passkey, PasskeyInfo } from '../../ports/passkey-store.js'

/** A passkey as apps see it. */
export const passkeyInfo = ({
  id,
  name,
  createdAt,
  lastUsedAt,
  backedUp,
  transports,
}: Passkey): PasskeyInfo => ({ id, name, createdAt, lastUsedAt, backedUp, transports })

/** Tells the app (hooks) and the user (messages) what happened to passkeys. */
export interface PasskeyEvents {
  added(user: Row, passkey: Passkey, request: FastifyRequest): Promise<void>
  removed(user: Row, passkey: Passkey, request: FastifyRequest | null): Promise<void>
  /** A right signature with a counter that isn't above the stored one. */
  suspicious(user: Row, passkey: Passkey, counter: number, request: FastifyRequest): Promise<void>
}

/** @param log for calls of the app's own code, which have no request */
export function createPasskeyEvents(
  emit: Emit,
  { notifyFactorChanged }: Credentials,
  log: FastifyBaseLogger,
): PasskeyEvents {
  return {
    async added(user, passkey, request) {
      notifyFactorChanged(user, { kind: 'passkey_added' }, request)
      await emit('onPasskeyAdded', { user, passkey: passkeyInfo(passkey) }, request)
    },
    async removed(user, passkey, request) {
      notifyFactorChanged(user, { kind: 'passkey_removed' }, request ?? ({ log } as FastifyRequest))
      await emit('onPasskeyRemoved', { user, passkey: passkeyInfo(passkey) }, request)
    },
    suspicious: (user, passkey, counter, request) =>
      emit(
        'onPasskeySuspicious',
        { user, passkey: passkeyInfo(passkey), counter, storedCounter: passkey.counter },
        request,
      ),
  }
}
