import { vectorSets } from '../helpers/legacy-vectors.js'

/** The n-th hash that the original system has made, see `vectorSets`. */
const hashOf = (name: keyof typeof vectorSets, index: number): string =>
  vectorSets[name].vectors[index]?.hash ?? ''

/**
 * The table of `AuthUserMixin` of crudauth 0.8.2 as SQLAlchemy creates it, with rows as its routes
 * write them. The hash of the last account is `make_unusable_password()`.
 */
export const crudauth = `
  create table users (
    id SERIAL not null,
    email VARCHAR(320) not null,
    username VARCHAR(64) not null,
    hashed_password VARCHAR(255) not null,
    is_active BOOLEAN not null,
    is_superuser BOOLEAN not null,
    email_verified BOOLEAN not null,
    token_version INTEGER not null,
    oauth_provider VARCHAR(32),
    google_id VARCHAR(64),
    github_id VARCHAR(64),
    oauth_created_at TIMESTAMPTZ,
    oauth_updated_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ not null,
    updated_at TIMESTAMPTZ,
    primary key (id)
  );
  create unique index ix_users_email on users (email);
  create unique index ix_users_username on users (username);
  create unique index ix_users_google_id on users (google_id);
  create unique index ix_users_github_id on users (github_id);
  insert into users (email, username, hashed_password, is_active, is_superuser, email_verified,
    token_version, oauth_provider, google_id, created_at) values
    ('ada@example.com', 'ada', '${hashOf('crudauthHashes', 0)}', true, false, true, 0, null, null,
      '2026-03-01 09:12:44.102938+00:00'),
    ('eve@example.com', 'eve', '${hashOf('crudauthHashes', 1)}', true, false, false, 2, null, null,
      '2026-03-02 10:00:00.000001+00:00'),
    ('oauth@example.com', 'oauth', '!Zk3n0r2bW1u6c7mE8tQvXw', true, false, true, 0, 'google',
      '1084', '2026-03-03 11:00:00.000001+00:00')`

/** The core schema of better-auth 1.x, as `npx @better-auth/cli generate` writes it. */
export const betterAuth = `
  create table "user" (
    "id" text not null primary key,
    "name" text not null,
    "email" text not null unique,
    "emailVerified" boolean not null,
    "image" text,
    "createdAt" timestamptz default CURRENT_TIMESTAMP not null,
    "updatedAt" timestamptz default CURRENT_TIMESTAMP not null
  );
  create table "account" (
    "id" text not null primary key,
    "accountId" text not null,
    "providerId" text not null,
    "userId" text not null references "user" ("id") on delete cascade,
    "accessToken" text,
    "refreshToken" text,
    "idToken" text,
    "accessTokenExpiresAt" timestamptz,
    "refreshTokenExpiresAt" timestamptz,
    "scope" text,
    "password" text,
    "createdAt" timestamptz default CURRENT_TIMESTAMP not null,
    "updatedAt" timestamptz not null
  );
  insert into "user" ("id", "name", "email", "emailVerified", "createdAt", "updatedAt") values
    ('bYx7Qm2Zr8Lw5Vt1Bn7Hc4Yd6Pf0GsKq', 'Ada', 'ada@example.com', true,
      '2026-03-01T09:12:44.102Z', '2026-03-01T09:12:44.102Z'),
    ('cZx7Qm2Zr8Lw5Vt1Bn7Hc4Yd6Pf0GsKq', 'Eve', 'eve@example.com', true,
      '2026-03-02T09:12:44.102Z', '2026-03-02T09:12:44.102Z');
  insert into "account" ("id", "accountId", "providerId", "userId", "password", "updatedAt") values
    ('dAx7', 'bYx7Qm2Zr8Lw5Vt1Bn7Hc4Yd6Pf0GsKq', 'credential', 'bYx7Qm2Zr8Lw5Vt1Bn7Hc4Yd6Pf0GsKq',
      '${hashOf('betterAuthHashes', 1)}', '2026-03-01T09:12:44.102Z'),
    ('dBx7', '1084', 'google', 'cZx7Qm2Zr8Lw5Vt1Bn7Hc4Yd6Pf0GsKq', null,
      '2026-03-02T09:12:44.102Z')`

/**
 * The schema of @auth/pg-adapter (https://authjs.dev/getting-started/adapters/pg), with the column
 * `password` that apps with the Credentials provider add.
 */
export const authjs = `
  create table accounts (
    id SERIAL,
    "userId" INTEGER not null,
    type VARCHAR(255) not null,
    provider VARCHAR(255) not null,
    "providerAccountId" VARCHAR(255) not null,
    refresh_token TEXT,
    access_token TEXT,
    expires_at BIGINT,
    id_token TEXT,
    scope TEXT,
    session_state TEXT,
    token_type TEXT,
    primary key (id)
  );
  create table users (
    id SERIAL,
    name VARCHAR(255),
    email VARCHAR(255),
    "emailVerified" TIMESTAMPTZ,
    image TEXT,
    password TEXT,
    primary key (id)
  );
  insert into users (name, email, "emailVerified", password) values
    ('Ada', 'ada@example.com', '2026-03-01T09:12:44.102Z',
      '$2b$04$WSFDmFvNYM5fBh2qjlyCA.fxlRomkiFNi2t6vtu.XekUYElJ5nqCq'),
    ('Eve', 'eve@example.com', null, null);
  insert into accounts ("userId", type, provider, "providerAccountId", access_token, token_type)
    values (2, 'oauth', 'github', '583231', 'gho_x', 'bearer')`

/** The tables of Lucia 2 for PostgreSQL (https://v2.lucia-auth.com/database-adapters/pg). */
export const lucia = `
  create table auth_user (
    id VARCHAR(15) primary key,
    email VARCHAR(255) not null unique,
    email_verified BOOLEAN not null
  );
  create table user_key (
    id VARCHAR(255) not null primary key,
    user_id VARCHAR(15) not null references auth_user(id),
    hashed_password VARCHAR(255)
  );
  insert into auth_user (id, email, email_verified) values
    ('3pzq8k1x0v7m2ab', 'ada@example.com', true);
  insert into user_key (id, user_id, hashed_password) values
    ('email:ada@example.com', '3pzq8k1x0v7m2ab', '${hashOf('betterAuthHashes', 2)}'),
    ('github:583231', '3pzq8k1x0v7m2ab', null)`

/** A table as apps with Passport have it, with hashes of bcrypt. The second one is of a long password. */
export const passport = `
  create table users (
    id SERIAL,
    email TEXT not null unique,
    username TEXT not null unique,
    hashed_password TEXT,
    is_active BOOLEAN not null default true,
    is_superuser BOOLEAN not null default false,
    email_verified BOOLEAN not null default false,
    token_version INTEGER not null default 0,
    created_at TIMESTAMPTZ,
    updated_at TIMESTAMPTZ,
    primary key (id)
  );
  insert into users (email, username, hashed_password) values
    ('ada@example.com', 'ada', '$2b$04$WSFDmFvNYM5fBh2qjlyCA.fxlRomkiFNi2t6vtu.XekUYElJ5nqCq'),
    ('eve@example.com', 'eve', '${hashOf('bcryptHashes', 4)}')`
