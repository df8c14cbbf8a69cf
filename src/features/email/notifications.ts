import type { FastifyRequest } from 'fastify'
import type { FactorChange } from '../../core/credentials/credentials.js'
import type { Outbox, RecipientLimit } from '../../core/delivery/outbox.js'
import { type Identity, readCanonical } from '../../core/identity/identity.js'
import type { RecoveryTokens } from '../../core/one-time-tokens/tokens.js'
import type { Row, Users } from '../../core/users/users.js'
import type { DeliveryKind } from '../../ports/delivery-channel.js'
import type { Reservations } from './address-reservations.js'
import type { EmailChange } from './email-change.js'

interface Dependencies {
  readonly users: Users
  readonly identity: Identity
  readonly outbox: Outbox
  readonly withinRecipientLimit: RecipientLimit
  readonly reservations: Reservations
  readonly emailChange: EmailChange | null
  readonly tokens: RecoveryTokens
  /** How long a link can be undone. */
  readonly undoSeconds: number
}

/** Notifications of users. No method waits or throws. */
interface Notifications {
  /** Tells the owner of `value` that someone tried to register with it. */
  existingAccount(request: FastifyRequest, field: string, value: string): void
  /** The same for an `email` that is reserved for its previous owner. */
  reservedAddress(request: FastifyRequest, email: string): void
  /** Tells the user that the password was changed. Also renews revert tokens. */
  passwordChanged(user: Row, request: FastifyRequest): void
  /** Tells the user that a provider was linked, with a link to undo it, or that it was unlinked. */
  linkChanged(
    user: Row,
    change: { readonly provider: string; readonly linked: boolean },
    request: FastifyRequest,
  ): void
  /** Tells the user what happened to the second factor. */
  factorChanged(user: Row, change: FactorChange, request: FastifyRequest): void
}

export function createNotifications({
  users,
  identity,
  outbox,
  withinRecipientLimit,
  reservations,
  emailChange,
  tokens,
  undoSeconds,
}: Dependencies): Notifications {
  const tell = async (
    kind: DeliveryKind,
    user: Row,
    factor: string,
    recipient: string,
    details: { readonly provider?: string; readonly remaining?: number } = {},
  ) => {
    // The last step that can fail, so that a retry isn't counted twice.
    if (!users.isActive(user) || !(await withinRecipientLimit(kind, recipient))) return
    outbox.send({ kind, token: null, user, recipient, factor, expiresInSeconds: 0, ...details })
  }
  /** Where to notify the user. Prefers a verified contact, then the email address. */
  const contactOf = (user: Row): [factor: string, value: string] | null => {
    const contacts = ['email', identity.recovery].flatMap((field): [string, string][] => {
      const value = field === null ? null : readCanonical(users, identity, user, field)
      return field === null || value === null ? [] : [[field, value]]
    })
    return (
      contacts.find(([field]) => users.flagOf(user, `${field}Verified`, false)) ??
      contacts[0] ??
      null
    )
  }

  return {
    existingAccount(request, field, value) {
      outbox.defer(request, async () => {
        const user = await identity.findBy(field, value)
        if (user) await tell('existing_account', user, field, value)
      })
    },

    reservedAddress(request, email) {
      outbox.defer(request, async () => {
        const user = await reservations.holderOf(email)
        if (user) await tell('existing_account', user, 'email', email)
      })
    },

    passwordChanged(user, request) {
      const contact = contactOf(user)
      if (contact) outbox.alert(request, () => tell('password_changed', user, ...contact))
      emailChange?.renewRevert(request, user)
    },

    linkChanged(user, { provider, linked }, request) {
      const contact = contactOf(user)
      if (!contact) return
      const [factor, recipient] = contact
      outbox.alert(request, async () => {
        if (!linked) return tell('provider_unlinked', user, factor, recipient, { provider })
        if (!users.isActive(user) || !(await withinRecipientLimit('provider_linked', recipient)))
          return
        const token = await tokens.issue('unlink', user, { value: null }, undoSeconds)
        outbox.send({
          ...{ kind: 'provider_linked', token, user, recipient, factor, provider },
          expiresInSeconds: undoSeconds,
        })
      })
    },

    factorChanged(user, { kind, ...details }, request) {
      const contact = contactOf(user)
      if (contact) outbox.alert(request, () => tell(kind, user, ...contact, details))
    },
  }
}
