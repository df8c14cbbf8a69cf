import {
  bcryptHashes,
  betterAuthHashes,
  crudauthHashes,
  djangoHashes,
  firebaseHashes,
  type LegacyVerifier,
  phpassHashes,
} from '../../src/legacy-hashes/index.js'

/** A hash that the original system has made. */
export interface Vector {
  readonly password: string
  readonly hash: string
  /** Too expensive for many wrong passwords. */
  readonly slow?: boolean
}

export interface VectorSet {
  readonly verifier: LegacyVerifier
  readonly vectors: readonly Vector[]
}

const phrase = 'correct horse battery'

/** The parameters in the README of https://github.com/firebase/scrypt. */
export const firebaseParameters = {
  signerKey:
    'jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==',
  saltSeparator: 'Bw==',
  rounds: 8,
  memCost: 14,
} as const

/** A password of 95 bytes. bcrypt compares the first 72. */
export const longPassword = 'correct horse battery staple '.repeat(3) + 'é'.repeat(4)

const bcrypt: VectorSet = {
  verifier: bcryptHashes,
  vectors: [
    // tests/test_bcrypt.py of https://github.com/pyca/bcrypt; the first ones come from Solar
    // Designer's crypt_blowfish.
    { password: 'U*U', hash: '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW' },
    { password: 'U*U*U', hash: '$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a' },
    {
      password: 'Kk4DQuMMfZL9o',
      hash: '$2b$04$cVWp4XaNU8a4v1uMRum2SO026BWLIoQMD/TXg5uZV.0P.uO8m3YEm',
    },
    {
      password: 'J8eHUDuxBB520',
      hash: '$2b$04$VvlCUKbTMjaxaYJ.k5juoecpG/7IzcH1AkmqKi.lIZMVIOLClWAk.',
    },
    // The Python package bcrypt 5.0.0, given the first 72 bytes.
    {
      password: longPassword,
      hash: '$2b$04$2y5qsR9QkdYynLG9m3J1xOsHmKezn.rWQaaxrjw9JWafNoGkIrRky',
    },
    {
      // The 72nd byte is the first half of the é.
      password: `${'a'.repeat(71)}étail`,
      hash: '$2b$04$ZPZvEtVxZNp9mYQYNEFR5u9a5c/MX2BTDUuZzAnhM9dYYeYNQ4nzq',
    },
  ],
}

const crudauth: VectorSet = {
  verifier: crudauthHashes,
  vectors: [
    // get_password_hash of the Python package crudauth 0.8.2. Here it has normalized ﬁ to fi.
    {
      password: phrase,
      hash: '$2b$12$Aa7qdYyiaq/yOCW4ehjPSe15KT4ad6w4deuAON3W2tcroGEUdmhoW',
      slow: true,
    },
    {
      password: `${phrase} ﬁne`,
      hash: '$2b$12$tonL0FpdGRaV/5quQksryOkfvmNhSFrpb8OehyBYR10Z3CIlfbEhK',
      slow: true,
    },
    {
      password: 'x'.repeat(100),
      hash: '$2b$12$n6AJu7qtsew/bhaF1wDC7el.jAaUtWY.R5LNX8OQolhPtJ1nL3JMC',
      slow: true,
    },
    // Its _bcrypt_input alone, as versions before the normalization did it, with gensalt(4).
    {
      password: `${phrase} ﬁne`,
      hash: '$2b$04$wn60A9u.crdIalXg7cJoV.LzejoWSKS7T4qtJfbiaKrt4pIdB9X9m',
    },
    { password: phrase, hash: '$2b$04$BE6K0QJNERGPtX4mXVg.SuZUxPQtpysyRRCtcwBZu/2nYPaWV02ai' },
  ],
}

const betterAuth: VectorSet = {
  verifier: betterAuthHashes,
  vectors: [
    // hashPassword of better-auth/crypto 1.7.25.
    {
      password: phrase,
      hash: '53d08712c4ec80790943c463d96f21f2:11a008540d9316ae00a6a2bc84c2c9e83fcf52956f208356317605c0b24863f2a4c7327bd3268232e9cbdc363c2410746b8a66d206ddc09896a1ac973f60f76a',
    },
    {
      password: `${phrase} ﬁne`,
      hash: 'dc71996f1c42e7e3d96c14a3f9aa702a:3956ea06c4b70b2654357d6aea7610beadb1faf8cdf7430ad9e79382849ee5455805b8be7d9ee69482f061144f6ce6be213bdc6728e29117599b924b5530a8bf',
      slow: true,
    },
    // generateLuciaPasswordHash of lucia 2.7.7.
    {
      password: phrase,
      hash: 's2:2tih2xpfc2fjz2b5:e04d8bf5c8fefb06717c53036c857a92a300a6a471b32c3b1c96074ef9b4de12bead64794c3d6521fb4833202d22608132a0e7787cc29c7f2c15aa7d1663a2f3',
      slow: true,
    },
  ],
}

const django: VectorSet = {
  verifier: djangoHashes,
  vectors: [
    // tests/auth_tests/test_hashers.py of https://github.com/django/django.
    {
      password: 'lètmein',
      hash: 'pbkdf2_sha256$390000$seasalt$8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c=',
      slow: true,
    },
    {
      password: 'lètmein',
      hash: 'pbkdf2_sha1$390000$seasalt2$aDapRanzW8aHTz97v2TcfHzWD+I=',
      slow: true,
    },
    {
      password: 'secret',
      hash: 'argon2$argon2i$m=8,t=1,p=1$c29tZXNhbHQ$gwQOXSNhxiOxPOA0+PY10P9QFO4NAYysnqRt1GSQLE55m+2GYDt9FEjPMHhP2Cuf0nOEXXMocVrsJAtNSsKyfg',
    },
    {
      password: 'secret',
      hash: 'argon2$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q',
    },
    {
      password: 'secret',
      hash: 'argon2$argon2id$v=19$m=102400,t=2,p=8$Y041dExhNkljRUUy$TMa6A8fPJhCAUXRhJXCXdw',
      slow: true,
    },
    {
      password: 'lètmein',
      hash: 'scrypt$16384$seasalt$8$5$ECMIUp+LMxMSK8xB/IVyba+KYGTI7FTnet025q/1f/vBAVnnP3hdYqJuRi+mJn6ji6ze3Fbb7JEFPKGpuEf5vw==',
      slow: true,
    },
    // make_password of Django 5.2.19, and its PBKDF2 hasher with 1000 iterations.
    {
      password: phrase,
      hash: 'pbkdf2_sha256$1000000$33DCeYJIF2tFqxjtJVr8xf$6kEFjc0+B9D3QV6gnbU2GgC0PbT6lHfcDrmHekTqccU=',
      slow: true,
    },
    {
      password: phrase,
      hash: 'pbkdf2_sha256$1000$iafFzur1BKawBrSS3Qk41F$vfJRxOyEpnPU3pcjTOYf0A5x5g89PllyOGdyBnF1MQE=',
    },
  ],
}

const firebase: VectorSet = {
  verifier: firebaseHashes(firebaseParameters),
  vectors: [
    {
      // The exported account in the README of https://github.com/firebase/scrypt.
      password: 'user1password',
      hash: 'firebase:42xEC+ixf3L2lw==:lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==',
    },
    {
      // The same in URL-safe Base64, as the Admin SDK returns it.
      password: 'user1password',
      hash: 'firebase:42xEC-ixf3L2lw==:lSrfV15cpx95_sZS2W9c9Kp6i_LVgQNDNC_qzrCnh1SAyZvqmZqAjTdn3aoItz-VHjoZilo78198JAdRuid5lQ==',
      slow: true,
    },
  ],
}

const phpass: VectorSet = {
  verifier: phpassHashes,
  vectors: [
    // test.php of phpass 0.5 (https://www.openwall.com/phpass/), and passlib/tests/test_handlers.py
    // of https://foss.heptapod.net/python-libs/passlib.
    { password: 'test12345', hash: '$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0' },
    { password: 'JohnRipper', hash: '$P$B12345678L6Lpt4BxNotVIMILOa9u81' },
    { password: 'JohnRipper', hash: '$H$712345678WhEyvy1YWzT4647jzeOmo0' },
    { password: '123456', hash: '$H$9PE8jEklgZhgLmZl5.HYJAzfGCQtzi1' },
    { password: 'compL3X!', hash: '$P$FiS0N5L672xzQx1rt1vgdJQRYKnQM9/', slow: true },
    // TestEncryption.java of CraftCommons, for WordPress.
    { password: 'ąćęłóńśźż', hash: '$P$ByXWbzDvVAJ0jxvNp5sv4xYPIRXJJ1.' },
    {
      // The administrator of a WordPress 7.1 installation for PHP-WASM, which checks it with PHP.
      password: 'admin',
      hash: '$wp$2y$10$Q1xinFjrZeLWJBvxviIL6u834Fu.evIEFHAUVisQ5O.w9Dm0sMdES',
    },
  ],
}

/** Hashes made by the original systems, by the name of the verifier. */
export const vectorSets = {
  bcryptHashes: bcrypt,
  crudauthHashes: crudauth,
  betterAuthHashes: betterAuth,
  djangoHashes: django,
  firebaseHashes: firebase,
  phpassHashes: phpass,
} as const satisfies Record<string, VectorSet>
