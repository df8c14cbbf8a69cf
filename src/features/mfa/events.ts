import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import type { Credentials } from '../../core/credentials/credentials.js'
import type { Row } from '../../core/users/users.js'
import type { Emit, MfaPurpose } from '../../events.js'

/** Tells the app (hooks) and the user (messages) what happened to the second factor. */
export interface MfaEvents {
  enabled(user: Row, request: FastifyRequest | null): Promise<void>
  disabled(user: Row, request: FastifyRequest | null): Promise<void>
  recoveryCodeUsed(user: Row, remaining: number, request: FastifyRequest | null): Promise<void>
  failed(user: Row, purpose: MfaPurpose, request: FastifyRequest): Promise<void>
}

/** @param log for calls of the app's own code, which have no request */
export function createMfaEvents(
  emit: Emit,
  { notifyFactorChanged }: Credentials,
  log: FastifyBaseLogger,
): MfaEvents {
  const tell = (
    user: Row,
    change: Parameters<typeof notifyFactorChanged>[1],
    request: FastifyRequest | null,
  ) => notifyFactorChanged(user, change, request ?? ({ log } as FastifyRequest))
  return {
    async enabled(user, request) {
      tell(user, { kind: 'mfa_enabled' }, request)
      await emit('onMfaEnabled', { user }, request)
    },
    async disabled(user, request) {
      tell(user, { kind: 'mfa_disabled' }, request)
      await emit('onMfaDisabled', { user }, request)
    },
    async recoveryCodeUsed(user, remaining, request) {
      tell(user, { kind: 'recovery_code_used', remaining }, request)
      await emit('onRecoveryCodeUsed', { user, remaining }, request)
    },
    failed: (user, purpose, request) => emit('onMfaFailed', { user, purpose }, request),
  }
}
