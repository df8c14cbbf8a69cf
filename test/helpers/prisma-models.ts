import type { Dialect, Shape } from './tables.js'

/** The model for a table that `createUsersTable` has made: `model DefaultUser` and so on. */
export function prismaModelOf(dialect: Dialect, shape: Shape, table: string): string {
  const text = dialect === 'sqlite' ? '' : '@db.VarChar(255)'
  const time =
    dialect === 'sqlite' ? '' : dialect === 'mysql' ? '@db.DateTime(3)' : '@db.Timestamptz(3)'
  const uuid = {
    sqlite: '@default(uuid())',
    mysql: '@default(uuid()) @db.VarChar(36)',
    postgres: '@default(dbgenerated("gen_random_uuid()")) @db.Uuid',
  }[dialect]
  if (shape === 'minimal')
    return `model MinimalUser {
  id             Int     @id @default(autoincrement())
  email          String  @unique ${text}
  hashedPassword String? @map("hashed_password") ${text}
  @@map("${table}")
}`
  if (shape === 'legacy')
    return `model LegacyUser {
  id             String    @id @map("account_id") ${uuid}
  mail           String    @unique ${text}
  username       String?   @unique @map("login_name") ${text}
  hashedPassword String?   @map("pw_hash") ${text}
  enabled        Boolean
  root           Boolean
  mailOk         Boolean   @map("mail_ok")
  tokenVersion   Int       @map("epoch")
  googleId       String?   @unique @map("google sub") ${text}
  githubId       String?   @unique @map("github-id") ${text}
  oauthProvider  String?   @map("idp") ${text}
  createdAt      DateTime? @map("made") ${time}
  updatedAt      DateTime? @map("changed") ${time}
  @@map("${table}")
}`
  const factor = `
  totpSecretEncrypted String?   @map("totp_secret_encrypted") ${text}
  totpConfirmedAt     DateTime? @map("totp_confirmed_at") ${time}
  totpLastStep        Int?      @map("totp_last_step")
  mfaRecoveryCodes    String?   @map("mfa_recovery_codes") ${text.replace('255', '1000')}`
  const model = { default: 'DefaultUser', bigint: 'BigintUser', factor: 'FactorUser' }[shape]
  return `model ${model} {
  id             ${shape === 'bigint' ? 'BigInt' : 'Int'} @id @default(autoincrement())
  email          String   @unique ${text}
  username       String?  @unique ${text}
  hashedPassword String?  @map("hashed_password") ${text}
  isActive       Boolean  @default(true) @map("is_active")
  isSuperuser    Boolean  @default(false) @map("is_superuser")
  emailVerified  Boolean  @default(false) @map("email_verified")
  tokenVersion   Int      @default(0) @map("token_version")
  createdAt      DateTime @map("created_at") ${time}
  updatedAt      DateTime @map("updated_at") ${time}
  plan           String?  ${text}${shape === 'factor' ? factor : ''}
  @@map("${table}")
}`
}

/** The model for a table that `createLinksTable` has made. */
export function prismaLinksOf(dialect: Dialect, table: string): string {
  const text = dialect === 'sqlite' ? '' : '@db.VarChar(255)'
  return `model OAuthAccount {
  userId   Int      @map("user_id")
  provider String   ${text}
  subject  String   ${text}
  email    String?  ${text}
  linkedAt DateTime @map("linked_at")
  @@id([userId, provider])
  @@unique([provider, subject])
  @@map("${table}")
}`
}
