import { Type } from '@sinclair/typebox'
import { Flag } from './common.js'

export const SessionList = Type.Array(
  Type.Object({
    session_id: Type.String({ description: 'Handle: it revokes, it never authenticates' }),
    device: Type.String(),
    ip: Type.String(),
    created_at: Type.String({ format: 'date-time' }),
    last_activity: Type.String({ format: 'date-time' }),
    current: Type.Boolean(),
  }),
)

/** Bounded only: a handle that is not one is not found. */
export const SessionParams = Type.Object({ session_id: Type.String({ maxLength: 256 }) })

export const LogoutAllQuery = Type.Object({
  keep_current: Type.Optional(Flag),
})

export const Revoked = Type.Object({ detail: Type.String(), revoked: Type.Integer() })

export const CsrfToken = Type.Object({ csrf_token: Type.String() })
