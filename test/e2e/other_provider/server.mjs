// SPDX-License-Identifier: Apache-2.0
// An OpenID provider that is not Keycloak, for the end-to-end tests: npm's oidc-provider on a port of the loopback.
//
//   OIDC_PROVIDER_HOME=FOLDER node server.mjs PORT FILE, with FILE {"people": {NAME: {"password": ..., "claims": {...}}}, "seconds": N}
//
// `seconds` is the life of ID and access tokens. What happens is a line of JSON on the standard output: {"event": ...}.
// POST /test/client takes a client's metadata, POST /test/revoke {"user": NAME} takes a person's refresh tokens back,
// GET /test/sessions/NAME tells how many sessions the person has.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const home = process.env.OIDC_PROVIDER_HOME;
const { default: Provider } = await import(pathToFileURL(`${home}/node_modules/oidc-provider/lib/index.js`));
const port = Number(process.argv[2]);
const issuer = `http://localhost:${port}`;
const { people, seconds } = JSON.parse(readFileSync(process.argv[3], 'utf8'));

const tell = (event, more) => process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);

// All that the provider keeps, by kind and id; what has run out is not found.
const kept = new Map();

class Memory {
  constructor(kind) {
    this.kind = kind;
    if (!kept.has(kind)) kept.set(kind, new Map());
  }

  get own() { return kept.get(this.kind); }

  async upsert(id, payload, life) {
    this.own.set(id, { payload, end: life ? Date.now() + life * 1000 : Infinity });
  }

  async find(id) {
    const entry = this.own.get(id);
    return entry && entry.end > Date.now() ? entry.payload : undefined;
  }

  async findByUid(uid) {
    for (const [id, { payload }] of this.own) if (payload.uid === uid) return this.find(id);
    return undefined;
  }

  async consume(id) { this.own.get(id).payload.consumed = Math.floor(Date.now() / 1000); }

  async destroy(id) { this.own.delete(id); }

  async revokeByGrantId(grantId) {
    for (const [id, { payload }] of this.own) if (payload.grantId === grantId) this.own.delete(id);
  }
}

function signingKey(kid, alg, type, options) {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' };
}

const escaped = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const page = (title, inside) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title></head>
<body><h1>${title}</h1>${inside}</body></html>`;

const signInPage = (uid, remark) => page('Sign in', `<p>${escaped(remark)}</p>
<form id="sign-in" method="post" action="/interaction/${escaped(uid)}">
<label>User <input name="username"></label> <label>Password <input name="password" type="password"></label>
<button>Sign in</button></form>`);

// The library's form holds the hidden fields; this adds what a person presses.
async function askToSignOut(ctx, form) {
  ctx.body = page('Sign out', form.replace('</form>', '<input type="hidden" name="logout" value="yes"><button>Sign out</button></form>'));
}

// The person has agreed to all that the client asks for.
async function grantAll(ctx) {
  const { client, session, params } = ctx.oidc;
  const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  grant.addOIDCScope(params.scope);
  await grant.save();
  return grant;
}

const provider = new Provider(issuer, {
  adapter: Memory,
  jwks: { keys: [
    signingKey('rsa', 'RS256', 'rsa', { modulusLength: 2048 }),
    signingKey('ec', 'ES256', 'ec', { namedCurve: 'P-256' }),
  ] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  pkce: { methods: ['S256'], required: () => true },
  scopes: ['openid', 'offline_access'],
  claims: { profile: ['name', 'preferred_username'], email: ['email', 'email_verified'], groups: ['groups'] },
  findAccount: (ctx, id) => people[id] && { accountId: id, claims: () => ({ sub: id, ...people[id].claims }) },
  loadExistingGrant: grantAll,
  issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  ttl: { AccessToken: seconds, IdToken: seconds, AuthorizationCode: 60, Grant: 3600, Interaction: 600, RefreshToken: 3600, Session: 3600 },
  interactions: { url: (ctx, { uid }) => `/interaction/${uid}` },
  renderError: (ctx, out) => {
    ctx.body = page('Error', `<p id="error">${escaped(out.error)}: ${escaped(out.error_description)}</p>`);
  },
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: true, logoutSource: askToSignOut },
  },
});

provider.on('grant.success', (ctx) => tell('grant', { client: ctx.oidc.client.clientId, type: ctx.oidc.params.grant_type }));
provider.on('grant.error', (ctx, error) => tell('grant refused', { error: error.error, detail: error.error_detail }));
provider.on('end_session.success', () => tell('end_session'));
provider.on('backchannel.success', (ctx, client) => tell('back-channel logout', { client: client.clientId }));
provider.on('backchannel.error', (ctx, error) => tell('back-channel logout failed', { error: error.message }));
provider.on('refresh_token.destroyed', (token) => tell('refresh token revoked', { user: token.accountId }));
provider.on('server_error', (ctx, error) => tell('server_error', { error: error.stack }));

async function body(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

async function interact(request, response) {
  const details = await provider.interactionDetails(request, response);
  const form = new URLSearchParams(request.method === 'POST' ? await body(request) : '');
  const person = Object.hasOwn(people, form.get('username') ?? '') ? people[form.get('username')] : undefined;
  if (person && person.password === form.get('password')) {
    await provider.interactionFinished(request, response, { login: { accountId: form.get('username') } });
  } else {
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.end(signInPage(details.uid, request.method === 'POST' ? 'Unknown name or password.' : ''));
  }
}

async function control(request, response, what) {
  const order = request.method === 'POST' ? JSON.parse(await body(request)) : {};
  let answer = {};
  if (what === 'client') {
    await new Memory('Client').upsert(order.client_id, order);
  } else if (what === 'revoke') {
    for (const [id, { payload }] of kept.get('RefreshToken')) {
      if (payload.accountId === order.user) kept.get('RefreshToken').delete(id);
    }
  } else if (what.startsWith('sessions/')) {
    const sessions = [...(kept.get('Session')?.values() ?? [])];
    answer = sessions.filter(({ payload }) => payload.accountId === what.slice('sessions/'.length)).length;
  }
  response.end(JSON.stringify(answer));
}

const answerAll = provider.callback();

createServer((request, response) => {
  const [, first, rest] = /^\/(interaction|test)\/([^?]*)/.exec(request.url) ?? [];
  if (!first) {
    answerAll(request, response);
    return;
  }
  (first === 'test' ? control(request, response, rest) : interact(request, response)).catch((error) => {
    tell('failed', { error: error.stack });
    response.statusCode = 500;
    response.end();
  });
}).listen(port, '127.0.0.1', () => tell('ready'));
