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
  return `model ${shape === 'bigint' ? 'BigintUser' : 'DefaultUser'} {
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
  plan           String?  ${text}
  @@map("${table}")
}`
}
