import type { FastifyBaseLogger } from 'fastify'
import { updateIfUnchanged } from '../../core/credentials/update-if-unchanged.js'
import type { Row, Users } from '../../core/users/users.js'
import { InternalError } from '../../errors.js'
import { MFA_FIELDS, type UserValues } from '../../ports/user-store.js'
import { newRecoveryCodes, readDigests, withoutCode } from './recovery-codes.js'
import { isOneTimeCode, newTotpSecret, stepOf } from './totp.js'
import type { TotpSecrets } from './totp-secrets.js'

/** A code that was right and is now used up. */
export interface UsedCode {
  /** The row as it was written. */
  readonly user: Row
  readonly method: 'otp' | 'recovery'
}

/** The second factor in the columns of a user's row. */
export type Enrollment = ReturnType<typeof createEnrollment>

/** Values of a row without a second factor. */
export const noFactor: UserValues = Object.freeze(
  Object.fromEntries(MFA_FIELDS.map((field) => [field, null])),
)

/**
 * Bounds the retries of a write. Each lost write means that another one succeeded, and no row
 * changes this often at once.
 */
const maxAttempts = 100

interface Dependencies {
  readonly users: Users
  readonly secrets: TotpSecrets
  /** How many recovery codes an account gets. */
  readonly codeCount: number
  readonly log: FastifyBaseLogger
}

export function createEnrollment({ users, secrets, codeCount, log }: Dependencies) {
  /**
   * @throws InternalError for a column that the driver doesn't return as text (JSON, bytes).
   * Otherwise the account would count as one without a second factor.
   */
  const textIn = (row: Row, field: string): string | null => {
    const value = users.read(row, field) ?? null
    if (value !== null && typeof value !== 'string')
      throw new InternalError(`The column of "${field}" must be read as text; change its type`)
    return value === '' ? null : value
  }
  const sealedIn = (row: Row) => textIn(row, 'totpSecretEncrypted')
  const codesIn = (row: Row) => textIn(row, 'mfaRecoveryCodes')
  const isEnrolled = (row: Row): boolean =>
    sealedIn(row) !== null && (users.read(row, 'totpConfirmedAt') ?? null) !== null

  const openedIn = (row: Row) => {
    const sealed = sealedIn(row)
    const opened = sealed === null ? null : secrets.open(row, sealed)
    if (sealed !== null && opened === null)
      log.error('could not decrypt a TOTP secret; is its key still among "mfa.encryptionKeys"?')
    return opened
  }

  /** The values that use up a code in this row; null for a code that is wrong or used. */
  const useOf = (row: Row, code: string, takesRecoveryCode: boolean) => {
    if (isOneTimeCode(code)) {
      const opened = openedIn(row)
      const step = opened && stepOf(opened.secret, code)
      const last = users.read(row, 'totpLastStep') ?? null
      // Each step counts once, whatever the code was for (RFC 6238, 5.2).
      if (!opened || step === null || (last !== null && step <= Number(last))) return null
      const sealedAgain = opened.isOutdated && {
        totpSecretEncrypted: secrets.seal(row, opened.secret),
      }
      return {
        method: 'otp' as const,
        field: 'totpLastStep',
        values: { totpLastStep: step, ...sealedAgain },
      }
    }
    const left = takesRecoveryCode ? withoutCode(codesIn(row), code) : null
    return left === null
      ? null
      : {
          method: 'recovery' as const,
          field: 'mfaRecoveryCodes',
          values: { mfaRecoveryCodes: left },
        }
  }

  /**
   * Writes the values that `valuesOf` returns for the row. The statement writes nothing if the
   * credential or one of `fields` has changed since the row was read. The row is then read again,
   * and the write repeated. Null if `valuesOf` returns null, or if the account was disabled or its
   * credential replaced.
   */
  const change = async (
    user: Row,
    valuesOf: (row: Row) => { fields: readonly string[]; values: UserValues } | null,
  ): Promise<Row | null> => {
    const epoch = users.epochOf(user)
    let row: Row | null = user
    for (let attempt = 0; attempt < maxAttempts && row; attempt++) {
      const next = valuesOf(row)
      if (!next) return null
      const changed = await updateIfUnchanged(users, row, next.fields, () => next.values)
      if (changed) return changed
      row = await users.findById(users.idOf(user))
      if (!row || !users.isActive(row) || users.epochOf(row) !== epoch) return null
    }
    return null
  }

  /**
   * Enrolls with the secret and the step that `proofOf` returns for the row. Null if it returns
   * null, or if the account is enrolled. If the write fails, it is undone: it may have happened,
   * and its recovery codes would reach nobody.
   */
  const enable = async (
    user: Row,
    proofOf: (row: Row) => { secret: string; step: number } | null,
  ): Promise<{ user: Row; codes: string[] } | null> => {
    const { codes, stored } = newRecoveryCodes(codeCount)
    let written: string | null = null
    const changed = await change(user, (row) => {
      const proof = isEnrolled(row) ? null : proofOf(row)
      if (!proof) return null
      written = secrets.seal(row, proof.secret)
      return {
        fields: ['totpSecretEncrypted'],
        values: {
          totpSecretEncrypted: written,
          totpConfirmedAt: new Date(),
          totpLastStep: proof.step,
          mfaRecoveryCodes: stored,
        },
      }
    }).catch(async (error) => {
      if (written !== null) await undo(user, written)
      throw error
    })
    return changed && { user: changed, codes }
  }

  /** Never rejects. */
  const undo = async (user: Row, sealed: string | null) => {
    const row = await users.findById(users.idOf(user)).catch(() => null)
    if (!row) return
    await change(row, (present) =>
      sealedIn(present) === sealed ? { fields: ['totpSecretEncrypted'], values: noFactor } : null,
    ).catch(() => {})
  }

  return {
    isEnrolled,

    remaining: (row: Row): number => (isEnrolled(row) ? readDigests(codesIn(row)).length : 0),

    /**
     * Uses up a code: exactly one of any number of concurrent calls succeeds with it. Null for a
     * wrong or used code, after the same work.
     * @param further values to write in the same statement
     */
    async use(
      user: Row,
      code: string,
      {
        takesRecoveryCode = true,
        further,
      }: { takesRecoveryCode?: boolean; further?: (row: Row) => UserValues } = {},
    ): Promise<UsedCode | null> {
      let method: UsedCode['method'] = 'otp'
      const changed = await change(user, (row) => {
        const used = isEnrolled(row) ? useOf(row, code, takesRecoveryCode) : null
        if (!used) return null
        method = used.method
        return {
          fields: ['totpSecretEncrypted', used.field],
          values: { ...used.values, ...further?.(row) },
        }
      })
      return changed && { user: changed, method }
    },

    /** Stores a new secret that waits for its first code. Null if the account is enrolled. */
    async begin(user: Row): Promise<string | null> {
      const secret = newTotpSecret()
      const changed = await change(user, (row) =>
        isEnrolled(row)
          ? null
          : {
              fields: ['totpSecretEncrypted'],
              values: { ...noFactor, totpSecretEncrypted: secrets.seal(row, secret) },
            },
      )
      return changed && secret
    },

    /** Whether a secret waits for its first code. */
    isPending: (row: Row): boolean => sealedIn(row) !== null && !isEnrolled(row),

    /** Enrolls with the secret that waits for its first code. Null for a wrong code. */
    confirm(user: Row, code: string) {
      return enable(user, (row) => {
        const opened = openedIn(row)
        const step = opened && stepOf(opened.secret, code)
        return opened && step !== null ? { secret: opened.secret, step } : null
      })
    },

    /** Enrolls with a secret whose code was right at `step`. Null if the account is enrolled. */
    enable: (user: Row, secret: string, step: number) => enable(user, () => ({ secret, step })),

    /** Takes back `enable`, if nothing has changed since. Never rejects. */
    undo: (user: Row) => undo(user, sealedIn(user)),

    /**
     * Values with new recovery codes. The secret is encrypted again, which ends the remembered
     * devices.
     */
    renewed(codes: { stored: string }): (row: Row) => UserValues {
      return (row) => {
        const opened = openedIn(row)
        return {
          mfaRecoveryCodes: codes.stored,
          ...(opened && { totpSecretEncrypted: secrets.seal(row, opened.secret) }),
        }
      }
    },

    change,
  }
}
