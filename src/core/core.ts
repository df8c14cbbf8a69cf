import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { createSeal } from '../crypto/seal.js'
import { type CrudAuthHooks, createEmitter, type Emit, type EmitWithoutRequest } from '../events.js'
import type { ResolvedCookies } from '../http/cookie-options.js'
import { createCookie } from '../http/cookies.js'
import type { CounterStore } from '../ports/counter-store.js'
import type { OneTimeStore } from '../ports/one-time-store.js'
import type { SessionStore } from '../ports/session-store.js'
import type { TransportToolbox } from '../ports/transport.js'
import type { UserStore } from '../ports/user-store.js'
import { type Credentials, createCredentials } from './credentials/credentials.js'
import { createDeleteAccount, type DeleteAccount } from './credentials/delete-account.js'
import { createRehash } from './credentials/rehash.js'
import { createReplaceCredential, type ReplaceCredential } from './credentials/replace.js'
import {
  createRevokeEverything,
  createUserRecords,
  type RevokeEverything,
  type UserRecords,
} from './credentials/user-records.js'
import { createDelivery, type Delivery } from './delivery/delivery.js'
import { createIdentity, type Identity } from './identity/identity.js'
import type { CoreSettings } from './options.js'
import { createHashQueue } from './passwords/hash-queue.js'
import { createPasswords, type Passwords } from './passwords/passwords.js'
import { createPasswordPolicy, type PasswordPolicy } from './passwords/policy.js'
import { warnOfUnknownHashes } from './passwords/unknown-hashes.js'
import { checkMethods } from './principal/methods.js'
import { AuthenticatedPrincipal, subjectOf } from './principal/principal.js'
import { principalOf } from './principal/request-principal.js'
import { type ClientRecords, createClientRecords } from './sessions/client-record.js'
import { createSessions, type Sessions } from './sessions/sessions.js'
import { type Authenticate, createPasswordAuthentication } from './sign-in/authenticate-password.js'
import type { SignIns } from './sign-in/complete.js'
import { createKnownDevices, type LoginContext } from './sign-in/known-device.js'
import {
  type CountAddress,
  type CountAttempt,
  createCountAddress,
  createCountAttempt,
  createLockout,
  noLockout,
} from './sign-in/lockout.js'
import { createSudo, type Sudo } from './sign-in/sudo.js'
import { createNewAccount, type NewAccount } from './sign-up/new-account.js'
import type { SignUpMessages } from './sign-up/sign-up-messages.js'
import { createUsers, type Row, type Users } from './users/users.js'
import { schemaNeeds, verifySchemaAtStart } from './users/verify-schema.js'

interface State {
  readonly sessions: SessionStore
  readonly oneTime: OneTimeStore
  /** One-time values of provider sign-ins in progress. */
  readonly attempts: OneTimeStore
  readonly counters: CounterStore
}

interface Inputs {
  readonly app: FastifyInstance
  readonly settings: CoreSettings
  // biome-ignore lint/suspicious/noExplicitAny: a store of any row type
  readonly store: UserStore<any>
  readonly state: State
  /** Cookies of a transport that signs in with a password; null if there is none. */
  readonly deviceCookies: ResolvedCookies | null
  /** Logical fields of the features that only the server may set. */
  readonly privilegedFields: readonly string[]
  /** Logical fields that the features write, with the characters that a text column must hold. */
  readonly writtenFields: Readonly<Record<string, number>>
}

/**
 * Services that the features share. Only a feature's `index.ts` unpacks them; services declare
 * their own dependencies.
 */
export interface Core {
  readonly app: FastifyInstance
  readonly settings: CoreSettings
  readonly state: State
  readonly users: Users
  readonly hooks: CrudAuthHooks
  readonly emit: Emit
  /** Emits events that happen outside a request. */
  readonly emitWithoutRequest: EmitWithoutRequest
  readonly passwords: Passwords
  readonly policy: PasswordPolicy
  readonly identity: Identity
  /** HMAC key for the names of counters. */
  readonly counterKey: Buffer
  /** Records of refresh-token families. */
  readonly families: UserRecords
  readonly revokeEverything: RevokeEverything
  /** Null without a session transport. */
  readonly sessions: { readonly sessions: Sessions; readonly cookieName: string } | null
  /** Encrypts the client data in session records and token families. */
  readonly clients: ClientRecords
  readonly authenticate: Authenticate
  readonly loginContext: (request: FastifyRequest) => LoginContext
  /** Counts an attempt at a code, in the lockout of the passwords. */
  readonly countAttempt: CountAttempt
  /** Counts an attempt whose account isn't known yet, by IP address. */
  readonly countAddress: CountAddress
  /** Cookies that recognize a device; null if no transport signs in with a password. */
  readonly deviceCookies: ResolvedCookies | null
  /** The id in the device cookie of the browser, or null. */
  readonly deviceIdOf: (request: FastifyRequest) => string | null
  /** Marks the device as known to the user. Returns a function that sets the cookie. */
  readonly rememberDevice: (
    request: FastifyRequest,
    user: Row,
  ) => Promise<(reply: FastifyReply) => void>
  /** Null if neither `email` nor `channels` is configured. */
  readonly delivery: Delivery | null
  readonly newAccount: NewAccount
  /** Logical fields of the features that only the server may set. */
  readonly privilegedFields: readonly string[]
  readonly credentials: Credentials
  readonly replaceCredential: ReplaceCredential
  /** Sign-in by transport, and sign-out. */
  readonly signIns: SignIns
  readonly deleteAccount: DeleteAccount
  /** Messages of sign-up; null without delivery. */
  readonly signUp: { messages: SignUpMessages | null }
  readonly sudo: Sudo
  readonly transportToolbox: TransportToolbox
}

/** Creates the services that the features share. Opens no socket. */
export async function createCore({
  app,
  settings,
  store,
  state,
  deviceCookies,
  privilegedFields,
  writtenFields,
}: Inputs): Promise<Core> {
  const { keys, hooks } = settings
  const needs = schemaNeeds(settings.identity.login, settings.registration, writtenFields)
  const { verifySchema: verify } = store
  verifySchemaAtStart(app, 'users', settings.timeouts.usersMs, verify && (() => verify(needs)))
  // A purpose is part of the derived key: renaming 'lineage' would invalidate stored epochs.
  const users = createUsers(store, settings.timeouts.usersMs, keys('lineage')[0])
  const { emit, emitWithoutRequest } = createEmitter(hooks, app.log, users.publicView)
  const queue = createHashQueue(settings.passwords.maxConcurrent, settings.passwords.maxQueued)
  const passwords = await createPasswords(
    settings.passwords.cost,
    settings.passwords.legacy,
    queue,
    warnOfUnknownHashes(app.log),
  )
  const policy = createPasswordPolicy(settings.passwords.minLength, settings.passwords.check)
  const identity = createIdentity(settings.identity.login, settings.identity.recovery, users)
  const counterKey = keys('counters')[0]
  const lockout = settings.lockout
    ? createLockout(state.counters, settings.lockout, users, counterKey)
    : noLockout

  const countAttempt = createCountAttempt(lockout, emit)
  const countAddress = createCountAddress(lockout, emit)
  const signIns: SignIns = {
    transports: new Map(),
    bodies: new Map(),
    afterwards: new Map(),
    signOut: null,
    secondFactor: null,
    passkeys: null,
  }

  const credentials = createCredentials()
  const sessionRecords = createUserRecords(state.sessions, users, keys('slot'))
  const families = createUserRecords(state.sessions, users, keys('family'))
  const deviceRecords = createUserRecords(state.sessions, users, keys('known-device'))
  const revokeEverything = createRevokeEverything(
    [sessionRecords, families, deviceRecords],
    credentials.revocables,
  )
  const devices =
    deviceCookies &&
    createKnownDevices({
      cookie: createCookie(deviceCookies.names.device, deviceCookies.policy, true),
      keys: keys('device'),
      users,
      store: state.sessions,
      records: deviceRecords,
    })

  const clients = createClientRecords(createSeal(keys('client')))
  const { session } = settings
  const cookies = session && {
    session: createCookie(session.cookies.names.session, session.cookies.policy, true),
    csrf: createCookie(session.cookies.names.csrf, session.cookies.policy, false),
  }
  const sessions =
    session && cookies && devices
      ? createSessions({
          store: state.sessions,
          users,
          records: sessionRecords,
          revokeEverything,
          csrfKey: keys('csrf')[0],
          clients,
          metadata: createSeal(keys('session-metadata')),
          settings: session,
          cookies,
          devices,
        })
      : null

  const transportToolbox: TransportToolbox = {
    users: users.store,
    createPrincipal(shown, init) {
      const user = users.rowBehind(shown)
      return users.isActive(user)
        ? new AuthenticatedPrincipal(subjectOf(users, settings.identity.recovery, user), user, {
            ...init,
            amr: checkMethods(init.amr),
          })
        : null
    },
  }

  const sudo = createSudo(settings.sudo, {
    users,
    passwords,
    counters: state.counters,
    sessions: state.sessions,
    emit,
    key: counterKey,
    freshSeconds: settings.freshSeconds,
    principalOf,
    signIns,
  })

  const replaceCredential = createReplaceCredential({
    users,
    credentials,
    revokeEverything,
    clearLockouts: async (user) => {
      await Promise.all([lockout.clear(user), sudo.clearLockout(user)])
    },
  })

  return {
    app,
    settings,
    state,
    users,
    hooks,
    emit,
    emitWithoutRequest,
    passwords,
    policy,
    identity,
    counterKey,
    families,
    revokeEverything,
    clients,
    sessions: sessions && cookies && { sessions, cookieName: cookies.session.name },
    authenticate: createPasswordAuthentication({
      users,
      identity,
      passwords,
      rehash: createRehash(users, passwords, app.log),
      countAttempt,
      hooks,
      emit,
    }),
    countAttempt,
    countAddress,
    deviceCookies,
    deviceIdOf: (request) => devices?.idOf(request) ?? null,
    loginContext: devices?.loginContext ?? ((request) => ({ request, deviceOf: async () => null })),
    async rememberDevice(request, user) {
      const cookie = await devices?.enrol(request, user)
      return (reply) => {
        if (cookie !== undefined) devices?.setCookie(reply, cookie)
      }
    },
    delivery: createDelivery({
      app,
      settings,
      users,
      counters: state.counters,
      counterKey,
      emitWithoutRequest,
    }),
    newAccount: createNewAccount(users, settings.registration, privilegedFields),
    privilegedFields,
    credentials,
    replaceCredential,
    signIns,
    deleteAccount: createDeleteAccount({ users, passwords, credentials, replaceCredential }),
    signUp: { messages: null },
    sudo,
    transportToolbox,
  }
}
