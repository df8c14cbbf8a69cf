import { Type } from '@sinclair/typebox'
import { Flag } from './common.js'

const Text = Type.Union([Type.String(), Type.Null()])

export const SessionList = Type.Array(
  Type.Object({
    id: Type.String({ description: 'Handle: it revokes, it never authenticates' }),
    session_id: Type.String({ description: 'The same as `id`' }),
    device: Type.Object({
      browser: Text,
      browser_version: Text,
      os: Text,
      device: Text,
      is_mobile: Type.Boolean(),
      is_tablet: Type.Boolean(),
      is_pc: Type.Boolean(),
    }),
    label: Type.String({ description: 'The device in words, such as "Firefox on Windows"' }),
    ip: Type.String(),
    created_at: Type.String({ format: 'date-time' }),
    last_activity: Type.String({ format: 'date-time' }),
    current: Type.Boolean(),
  }),
)

/** Only limits the length: an invalid handle gets a 404 like an unknown one. */
export const SessionParams = Type.Object({ session_id: Type.String({ maxLength: 100 }) })

export const LogoutAllQuery = Type.Object({
  keep_current: Type.Optional(Flag),
})

export const Revoked = Type.Object({ detail: Type.String(), revoked: Type.Integer() })

export const CsrfToken = Type.Object({ csrf_token: Type.String() })
